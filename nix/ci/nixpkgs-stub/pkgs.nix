# Derivations run by /bin/sh with the machine's PATH, in place of stdenv.
{ system }:
let
  lib = import ./lib.nix;
  trim = s: builtins.replaceStrings [ "\n" ] [ "" ] s;
  hostPath = trim (builtins.readFile ./path);
  goVersion = trim (builtins.readFile ./goversion);

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
    "checkPhase"
    "meta"
  ];
in
{
  go.version = goVersion;
  gnumake = "make";
  git = "git";
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
        export GOCACHE=$PWD/cache
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
      ''
    )
    // {
      inherit (args) meta;
    };
}
