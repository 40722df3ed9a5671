# Derivations run by /bin/sh with the machine's PATH, in place of stdenv.
{ system }:
let
  lib = import ./lib.nix;
  trim = s: builtins.replaceStrings [ "\n" ] [ "" ] s;
  hostPath = trim (builtins.readFile ./path);
  goVersion = trim (builtins.readFile ./goversion);
  goCache = trim (builtins.readFile ./gocache);

  run =
    name: attrs: script:
    derivation (
      attrs
      // {
        inherit name system;
        builder = "/bin/sh";
        args = [
          "-euc"
          # Outside a sandbox the home of a build must not be Nix's, which has to stay absent.
          "export HOME=$PWD\n${script}"
        ];
        PATH = hostPath;
      }
    );

  known = [
    "pname"
    "version"
    "src"
    "vendorHash"
    "subPackages"
    "env"
    "ldflags"
    "nativeBuildInputs"
    "checkPhase"
    "postInstall"
    "meta"
  ];
in
# Packages that are only named.
lib.genAttrs [
  "gnumake"
  "git"
  "installShellFiles"
  "coreutils"
  "redis"
  "rabbitmq-server"
  "apacheKafka"
  "jre_headless"
  "maven"
  "prometheus"
  "chromium"
  "ethtool"
  "iproute2"
  "nftables"
  "nix"
] (name: name)
// {
  go.version = goVersion;
  stdenv.hostPlatform = {
    inherit system;
    isLinux = system != "aarch64-darwin";
  };
  stdenv.buildPlatform.canExecute = host: host.system == system;
  mkShell =
    { packages }:
    run "shell" { } "echo ${toString (builtins.length packages)} > $out";
  runCommand = name: { nativeBuildInputs ? [ ] }: script: run name { } script;

  # Like the real one: the vendored modules are an input fixed by vendorHash, and a misspelt argument is an error.
  buildGoModule =
    args:
    let
      unknown = builtins.filter (a: !(builtins.elem a known)) (builtins.attrNames args);
      modules = builtins.path {
        name = "go-modules";
        path = ./vendor;
        sha256 = args.vendorHash;
      };
    in
    assert lib.assertMsg (unknown == [ ]) "buildGoModule: unknown ${toString unknown}";
    (run "${args.pname}-${args.version}"
      {
        CGO_ENABLED = toString args.env.CGO_ENABLED;
        GOFLAGS = "-mod=vendor -trimpath -buildvcs=false";
        GOTOOLCHAIN = "local";
      }
      ''
        # This machine's go compiled most of it before.
        export GOCACHE=${goCache}
        installManPage() { mkdir -p $out/share/man/man1; cp "$@" $out/share/man/man1/; }
        # installShellCompletion --cmd NAME --SHELL FILE
        installShellCompletion() { mkdir -p $out/share/completions; cp "$4" "$out/share/completions/$2.''${3#--}"; }
        cp -r ${args.src} src
        chmod -R u+w src
        cd src
        cp -r ${modules} vendor
        runHook() { :; }
        mkdir -p $out/bin
        for p in ${toString args.subPackages}; do
          go build -ldflags "${toString args.ldflags}" -o $out/bin/ ./$p
        done
        ${args.checkPhase}
        ${args.postInstall}
      ''
    )
    // {
      inherit (args) meta;
    };
}
