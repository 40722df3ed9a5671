# The functions of nixpkgs.lib that the flake and its module use, with the same results.
let
  strings = import ./strings.nix;
  modules = import ./modules.nix lib;
  lib =
    strings
    // modules
    // {
      genAttrs =
        names: f:
        builtins.listToAttrs (
          map (name: {
            inherit name;
            value = f name;
          }) names
        );
      filterAttrs =
        keep: set:
        removeAttrs set (builtins.filter (n: !(keep n set.${n})) (builtins.attrNames set));
      optionals = c: l: if c then l else [ ];
      optionalAttrs = c: s: if c then s else { };
      last = l: builtins.elemAt l (builtins.length l - 1);
      findFirst =
        fits: none: l:
        let
          found = builtins.filter fits l;
        in
        if found == [ ] then none else builtins.head found;
      versionAtLeast = a: b: builtins.compareVersions a b >= 0;
      assertMsg = ok: message: if ok then true else builtins.throw message;
      licenses.asl20.spdxId = "Apache-2.0";
      platforms.unix = [
        "x86_64-linux"
        "aarch64-linux"
        "aarch64-darwin"
      ];
    };
in
lib
