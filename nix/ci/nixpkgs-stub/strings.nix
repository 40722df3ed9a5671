# nixpkgs.lib.strings, what is used of it.
rec {
  concatStringsSep = builtins.concatStringsSep;
  concatStrings = concatStringsSep "";
  optionalString = c: s: if c then s else "";
  stringToCharacters = s: builtins.genList (i: builtins.substring i 1 s) (builtins.stringLength s);
  special = stringToCharacters "\\[{()^$?*+|.";
  # The separator is text, not a pattern: what means something in one is quoted.
  splitString =
    sep: s:
    builtins.filter builtins.isString (
      builtins.split (builtins.replaceStrings special (map (c: "\\" + c) special) sep) s
    );
  hasSuffix =
    end: s:
    let
      n = builtins.stringLength s - builtins.stringLength end;
    in
    n >= 0 && builtins.substring n (-1) s == end;
  hasInfix = part: s: builtins.length (splitString part s) > 1;
  toInt =
    s: if builtins.match "0|[1-9][0-9]*" s != null then builtins.fromJSON s else builtins.throw "toInt: ${s}";
}
