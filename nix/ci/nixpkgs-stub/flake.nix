{
  # Stands in for nixpkgs where the network does not reach: just enough of its interface for this project's flake, with
  # the machine's own go and shell. scripts/nix-check.sh copies it and puts the files "vendor" and "path" beside it.
  description = "a package set small enough to read";

  outputs = _: {
    lib = import ./lib.nix;
    legacyPackages = (import ./lib.nix).genAttrs [
      "x86_64-linux"
      "aarch64-linux"
      "aarch64-darwin"
    ] (system: import ./pkgs.nix { inherit system; });
  };
}
