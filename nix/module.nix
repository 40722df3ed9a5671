# NixOS: nodes of a topology as services, and a host that pulse doctor has nothing to say against. The unit is packaging/pulse@.service
# and the host's settings are tuned-host.json, which the doctor's own table writes: neither is repeated here.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption mkEnableOption types;
  cfg = config.services.pulse;
  tuned = config.pulse.tunedHost;
  cpuList = types.strMatching "[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*";

  # The lines of one section of a unit file, as systemd.services has them. A name that comes twice adds to what it says.
  section =
    name: file:
    let
      after = builtins.elemAt (lib.splitString "[${name}]\n" (builtins.readFile file)) 1;
      lines = lib.splitString "\n" (builtins.head (lib.splitString "\n[" after));
      pairs = builtins.filter (m: m != null) (map (builtins.match "([A-Za-z]+)=(.*)") lines);
    in
    builtins.listToAttrs (
      map (m: {
        name = builtins.elemAt m 0;
        value = builtins.elemAt m 1;
      }) pairs
    );
  unit = section "Service" (../packaging + "/pulse@.service");
  xdp = section "Service" ../packaging/examples/xdp.conf;

  # systemd reads a quoted word as C does, and takes % and $ for its own.
  word = s: builtins.replaceStrings [ "%" "$" ] [ "%%" "$$" ] (builtins.toJSON s);

  capabilities = lib.concatStringsSep " " cfg.capabilities;
  service =
    node:
    removeAttrs unit [ "Environment" ]
    // lib.optionalAttrs (cfg.xdp != null) {
      RestrictAddressFamilies = "${unit.RestrictAddressFamilies} ${xdp.RestrictAddressFamilies}";
      SystemCallFilter = "${unit.SystemCallFilter} ${xdp.SystemCallFilter}";
    }
    // {
      ExecStart = lib.concatStringsSep " " (
        [
          "${cfg.package}/bin/pulse run"
          (word "${cfg.topology}")
          "--node"
          (word node)
        ]
        ++ map word (lib.optionals (cfg.xdp != null) [ "--xdp" cfg.xdp ] ++ cfg.extraArgs)
      );
      ExecReload = "${pkgs.coreutils}/bin/kill -HUP $MAINPID";
      RuntimeDirectory = "pulse/${node}";
      AmbientCapabilities = capabilities;
      CapabilityBoundingSet = capabilities;
    }
    // lib.optionalAttrs tuned.enable (
      profile.service
      // lib.optionalAttrs (profile.service ? AmbientCapabilities) {
        CapabilityBoundingSet = profile.service.AmbientCapabilities;
      }
    )
    // lib.optionalAttrs (cfg.memlock != null) { LimitMEMLOCK = cfg.memlock; };

  profiles = (builtins.fromJSON (builtins.readFile ./tuned-host.json)).profiles;
  profile = profiles.${tuned.profile};

  # CPUs of a list such as 0-1,4, and the kernel's mask of them: groups of 32 bits, the highest first.
  cpusOf =
    list:
    builtins.concatMap (
      part:
      let
        ends = map lib.toInt (lib.splitString "-" part);
        first = builtins.head ends;
      in
      builtins.genList (i: first + i) (lib.last ends - first + 1)
    ) (lib.splitString "," list);
  maskOf =
    list:
    let
      all = cpusOf list;
      digits = lib.stringToCharacters "0123456789abcdef";
      bit = cpu: weight: if builtins.elem cpu all then weight else 0;
      digit = n: builtins.elemAt digits (bit (4 * n) 1 + bit (4 * n + 1) 2 + bit (4 * n + 2) 4 + bit (4 * n + 3) 8);
      highest = builtins.foldl' (a: b: if a > b then a else b) 0 all / 32;
      group = g: lib.concatStrings (builtins.genList (i: digit (8 * g + 7 - i)) 8);
    in
    lib.concatStringsSep "," (builtins.genList (i: group (highest - i)) (highest + 1));

  # What differs from host to host. A setting whose words nobody gave is left out.
  words =
    lib.optionalAttrs (tuned.cpus != null) { "@cpus@" = tuned.cpus; }
    // lib.optionalAttrs (tuned.others != null) {
      "@others@" = tuned.others;
      "@othersMask@" = maskOf tuned.others;
    }
    // lib.optionalAttrs (tuned.hugepages > 0) { "@hugepages@" = toString tuned.hugepages; };
  fill = builtins.replaceStrings (builtins.attrNames words) (builtins.attrValues words);
  filled = s: builtins.match ".*@[a-zA-Z]+@.*" (fill s) == null;
  params = map fill (builtins.filter filled profile.kernelParams);
  sysctl = lib.filterAttrs (_: filled) profile.sysctl;
  files = builtins.filter (f: filled f.value) profile.files;
  isGovernor = f: lib.hasSuffix "/scaling_governor" f.path;
  asks = lib.hasInfix "@cpus@" (builtins.toJSON profile);
in
{
  options.services.pulse = {
    enable = mkEnableOption "nodes of a Pulse topology";
    package = mkOption {
      type = types.package;
      description = "The program.";
    };
    topology = mkOption {
      type = types.path;
      description = "The topology file. What it names as secrets are files outside the store.";
    };
    nodes = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "The nodes of the topology that this host is: a service pulse-NODE each.";
    };
    extraArgs = mkOption {
      type = types.listOf types.str;
      default = [ ];
      description = "More arguments of pulse run.";
    };
    xdp = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "INTERFACE[:QUEUE,...] by which channels by xdp go past the kernel's sockets.";
    };
    capabilities = mkOption {
      type = types.listOf types.str;
      default = lib.optionals (cfg.xdp != null) (lib.splitString " " xdp.AmbientCapabilities);
      description = "Capabilities of the services: none, or what AF_XDP needs.";
    };
    memlock = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "LimitMEMLOCK of the services, in place of what the unit and the profile say.";
    };
  };

  options.pulse.tunedHost = {
    enable = mkEnableOption "a host tuned as pulse doctor asks";
    profile = mkOption {
      type = types.enum (builtins.attrNames profiles);
      default = "hft";
      description = "The profile of pulse doctor.";
    };
    cpus = mkOption {
      type = types.nullOr cpuList;
      default = null;
      example = "2-7";
      description = "The hot cores: nothing but pinned loops runs there.";
    };
    others = mkOption {
      type = types.nullOr cpuList;
      default = null;
      example = "0-1";
      description = "All other CPUs: interrupts and everything else.";
    };
    hugepages = mkOption {
      type = types.ints.unsigned;
      default = 0;
      description = "Pages of 2 MiB for rings; 0 leaves their number as it is.";
    };
  };

  config = lib.mkMerge [
    (lib.mkIf cfg.enable {
      assertions = [
        {
          assertion = cfg.nodes != [ ];
          message = "services.pulse.nodes names the nodes of ${toString cfg.topology} that this host is; it is empty";
        }
      ];
      users.users.pulse = {
        isSystemUser = true;
        group = "pulse";
        home = "/var/lib/pulse";
      };
      users.groups.pulse = { };
      environment.systemPackages = [ cfg.package ];
      systemd.services = builtins.listToAttrs (
        map (node: {
          name = "pulse-${node}";
          value = {
            description = "Pulse node ${node}";
            wantedBy = [ "multi-user.target" ];
            wants = [ "network-online.target" ];
            after = [
              "network-online.target"
              "time-sync.target"
            ];
            serviceConfig = service node;
          };
        }) cfg.nodes
      );
    })
    (lib.mkIf tuned.enable {
      assertions = [
        {
          assertion = !asks || tuned.cpus != null;
          message = "pulse.tunedHost.cpus names the hot cores, 2-7 for instance; profile ${tuned.profile} is nothing without them";
        }
        {
          assertion = !asks || tuned.others != null;
          message = "pulse.tunedHost.others names all CPUs that are not hot, 0-1 for instance: interrupts go there";
        }
        {
          assertion =
            tuned.cpus == null
            || tuned.others == null
            || !(builtins.any (cpu: builtins.elem cpu (cpusOf tuned.others)) (cpusOf tuned.cpus));
          message = "pulse.tunedHost: cpus ${toString tuned.cpus} and others ${toString tuned.others} share a CPU";
        }
      ];
      boot.kernelParams = params;
      boot.kernel.sysctl = builtins.mapAttrs (_: fill) sysctl;
      # NixOS sets the governor itself, after what is written at boot.
      powerManagement.cpuFreqGovernor = lib.mkIf (builtins.any isGovernor files) (fill (lib.findFirst isGovernor null files).value);
      systemd.tmpfiles.rules = map (f: "w- ${f.path} - - - - ${fill f.value}") (builtins.filter (f: !(isGovernor f)) files);
    })
  ];
}
