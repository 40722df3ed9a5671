# The functions of nixpkgs.lib that the flake uses, with the same results.
{
  genAttrs =
    names: f:
    builtins.listToAttrs (
      map (name: {
        inherit name;
        value = f name;
      }) names
    );
  versionAtLeast = a: b: builtins.compareVersions a b >= 0;
  assertMsg = ok: message: if ok then true else builtins.throw message;
  licenses.asl20.spdxId = "Apache-2.0";
  platforms.unix = [
    "x86_64-linux"
    "aarch64-linux"
    "aarch64-darwin"
  ];
}
