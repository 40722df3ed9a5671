# The module against the options of NixOS that it sets, declared here with their types. It evaluates to the number of checks that held, and
# throws the first that did not. What it cannot show: that today's NixOS still has these options.
{
  lib ? import ./nixpkgs-stub/lib.nix,
}:
let
  inherit (lib) mkOption types;
  option =
    type: default:
    mkOption {
      inherit type default;
      description = "of NixOS";
    };
  scalar = types.nullOr types.str;
  nixos = {
    options = {
      assertions = option (types.listOf types.anything) [ ];
      boot.kernelParams = option (types.listOf types.str) [ ];
      boot.kernel.sysctl = option (types.attrsOf scalar) { };
      powerManagement.cpuFreqGovernor = option (types.nullOr types.str) null;
      environment.systemPackages = option (types.listOf types.package) [ ];
      users.users = option (types.attrsOf types.anything) { };
      users.groups = option (types.attrsOf types.anything) { };
      systemd.tmpfiles.rules = option (types.listOf types.str) [ ];
      systemd.services = option (types.attrsOf (
        types.submodule {
          options = {
            description = option types.str "";
            wants = option (types.listOf types.str) [ ];
            after = option (types.listOf types.str) [ ];
            wantedBy = option (types.listOf types.str) [ ];
            serviceConfig = option (types.attrsOf types.str) { };
          };
        }
      )) { };
    };
  };
  package = {
    type = "derivation";
    outPath = "/nix/store/pulse";
  };
  eval =
    config:
    (lib.evalModules {
      specialArgs.pkgs.coreutils = "/nix/store/coreutils";
      modules = [
        nixos
        ../module.nix
        config
      ];
    }).config;

  faults = c: map (a: a.message) (builtins.filter (a: !a.assertion) c.assertions);
  # Every option has a value, so that only what config says can be what is refused.
  values.services.pulse = {
    inherit package;
    topology = "/etc/pulse/topology.yaml";
  };
  refused = config: !(builtins.tryEval (builtins.deepSeq (eval { imports = [ values config ]; }) true)).success;
  says = part: c: builtins.any (lib.hasInfix part) (faults c);

  node.services.pulse = values.services.pulse // {
    enable = true;
    nodes = [ "left" ];
  };
  served = eval node;
  left = served.systemd.services.pulse-left.serviceConfig;
  past = (eval { imports = [ node { services.pulse.xdp = "eth0:0"; services.pulse.extraArgs = [ "--dir" "/dev/shm/50%" ]; } ]; }).systemd.services.pulse-left.serviceConfig;

  table = (builtins.fromJSON (builtins.readFile ../tuned-host.json)).profiles;
  host = profile: {
    pulse.tunedHost = {
      enable = true;
      inherit profile;
      cpus = "2-7";
      others = "0-1";
      hugepages = 512;
    };
  };
  # The table filled in by other means than the module's.
  filled =
    builtins.replaceStrings
      [
        "@cpus@"
        "@others@"
        "@othersMask@"
        "@hugepages@"
      ]
      [
        "2-7"
        "0-1"
        "00000003"
        "512"
      ];
  governors = builtins.filter (f: lib.hasSuffix "scaling_governor" f.path);
  agrees =
    profile:
    let
      is = eval { imports = [ node (host profile) ]; };
      want = table.${profile};
      unit = is.systemd.services.pulse-left.serviceConfig;
    in
    {
      "${profile}: no fault" = faults is == [ ];
      "${profile}: kernel parameters are the table's" = is.boot.kernelParams == map filled want.kernelParams;
      "${profile}: sysctls are the table's" = is.boot.kernel.sysctl == builtins.mapAttrs (_: filled) want.sysctl;
      "${profile}: files are the table's" =
        builtins.length is.systemd.tmpfiles.rules + builtins.length (governors want.files) == builtins.length want.files
        && builtins.all (
          f: builtins.elem "w- ${f.path} - - - - ${filled f.value}" is.systemd.tmpfiles.rules || governors [ f ] != [ ]
        ) want.files;
      "${profile}: the governor is the table's" =
        map (f: f.value) (governors want.files)
        == lib.optionals (is.powerManagement.cpuFreqGovernor != null) [ is.powerManagement.cpuFreqGovernor ];
      "${profile}: limits and capabilities are the table's" =
        builtins.all (n: unit.${n} == want.service.${n}) (builtins.attrNames want.service)
        && unit.CapabilityBoundingSet == want.service.AmbientCapabilities or "";
    };
  many = n: { pulse.tunedHost = { enable = true; cpus = "40-71"; others = n; }; };

  checks = {
    "disabled is empty" =
      let
        c = eval { };
      in
      c.boot.kernelParams == [ ]
      && c.boot.kernel.sysctl == { }
      && c.systemd.services == { }
      && c.systemd.tmpfiles.rules == [ ]
      && c.users.users == { }
      && c.assertions == [ ]
      && c.powerManagement.cpuFreqGovernor == null;
    "a node's command" =
      left.ExecStart == ''/nix/store/pulse/bin/pulse run "/etc/pulse/topology.yaml" --node "left"'';
    "reload by SIGHUP" = left.ExecReload == "/nix/store/coreutils/bin/kill -HUP $MAINPID";
    "no capabilities" = left.AmbientCapabilities == "" && left.CapabilityBoundingSet == "";
    "the unit's hardening" =
      left.ProtectSystem == "strict" && left.NoNewPrivileges == "yes" && left.RemoveIPC == "no" && left.LimitMEMLOCK == "infinity";
    "the unit's user" = left.User == "pulse" && served.users.users.pulse.group == "pulse" && served.users.groups ? pulse;
    "a directory for each node" = left.RuntimeDirectory == "pulse/left";
    "started with the machine" = served.systemd.services.pulse-left.wantedBy == [ "multi-user.target" ];
    "nothing of the host without tunedHost" = served.boot.kernelParams == [ ] && served.boot.kernel.sysctl == { };
    "capabilities past the kernel's sockets" =
      past.AmbientCapabilities == "CAP_NET_RAW CAP_NET_ADMIN CAP_BPF"
      && past.CapabilityBoundingSet == past.AmbientCapabilities
      && lib.hasInfix "AF_XDP" past.RestrictAddressFamilies
      && lib.hasSuffix " bpf" past.SystemCallFilter;
    "arguments are quoted for systemd" =
      lib.hasSuffix ''--node "left" "--xdp" "eth0:0" "--dir" "/dev/shm/50%%"'' past.ExecStart;
    "memlock can be less" =
      (eval { imports = [ node { services.pulse.memlock = "64M"; } ]; }).systemd.services.pulse-left.serviceConfig.LimitMEMLOCK
      == "64M";
    "nodes are named" = says "services.pulse.nodes" (eval { imports = [ node { services.pulse.nodes = lib.mkForce [ ]; } ]; });
    "hft without cpus" = says "tunedHost.cpus" (eval { pulse.tunedHost.enable = true; });
    "hft without others" = says "tunedHost.others" (eval { pulse.tunedHost = { enable = true; cpus = "1"; }; });
    "a CPU is hot or not" = says "share a CPU" (eval { pulse.tunedHost = { enable = true; cpus = "2-5"; others = "0-1,4"; }; });
    "cloud needs no cpus" = faults (eval { pulse.tunedHost = { enable = true; profile = "cloud"; }; }) == [ ];
    "hugepages are left alone" =
      !((eval { pulse.tunedHost = { enable = true; profile = "cloud"; }; }).boot.kernel.sysctl ? "vm.nr_hugepages");
    "masks of many CPUs" =
      builtins.any (lib.hasSuffix " 000000ff,ffffffff,80000001") (eval (many "0,31-71")).systemd.tmpfiles.rules;
    "a wrong type is refused" = refused { services.pulse.enable = "yes"; };
    "a wrong list of CPUs is refused" = refused { pulse.tunedHost.cpus = "two"; };
    "an unknown profile is refused" = refused { pulse.tunedHost.profile = "laptop"; };
    "a negative number of hugepages is refused" = refused { pulse.tunedHost.hugepages = -1; };
    "a misspelt option is refused" = refused { services.pulse.topologie = "/etc/x"; };
    "a misspelt option of the host is refused" = refused { pulse.tunedHost.hugePages = 1; };
    "what is right is not refused" = !(refused { services.pulse.nodes = [ "left" ]; }) && !(refused (host "hft"));
  }
  // builtins.foldl' (a: p: a // agrees p) { } (builtins.attrNames table);
  broken = builtins.filter (n: !checks.${n}) (builtins.attrNames checks);
in
if broken == [ ] then
  builtins.length (builtins.attrNames checks)
else
  builtins.throw "module-test: ${builtins.toJSON broken}"
