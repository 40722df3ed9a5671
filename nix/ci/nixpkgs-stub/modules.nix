# The module system of nixpkgs.lib, small: options with types, definitions with conditions and priorities, imports. What is misspelt or of
# a wrong type is refused as there.
lib:
let
  typed = t: v: builtins.isAttrs v && v ? _type && v._type == t;
  dotted = builtins.concatStringsSep ".";
  fail = path: what: builtins.throw "The option `${dotted path}' ${what}.";

  # A definition under a condition or a priority is one of each attribute below it: their names are known before the condition is.
  pushDown =
    v:
    if typed "merge" v then
      builtins.concatMap pushDown v.contents
    else if typed "if" v then
      map (builtins.mapAttrs (_: mkIf v.condition)) (pushDown v.content)
    else if typed "override" v then
      map (builtins.mapAttrs (_: mkOverride v.priority)) (pushDown v.content)
    else
      [ v ];
  discharge =
    priority: v:
    if typed "merge" v then
      builtins.concatMap (discharge priority) v.contents
    else if typed "if" v then
      (if v.condition then discharge priority v.content else [ ])
    else if typed "override" v then
      discharge v.priority v.content
    else
      [ { inherit priority v; } ];

  # settle is the value of definitions by a type, or null when there is none in force.
  settle =
    path: type: definitions:
    let
      all = builtins.concatMap (discharge 100) definitions;
      least = builtins.foldl' (a: d: if d.priority < a then d.priority else a) 9999 all;
      values = map (d: d.v) (builtins.filter (d: d.priority == least) all);
      wrong = builtins.filter (v: !(type.check v)) values;
    in
    if values == [ ] then
      null
    else if wrong != [ ] then
      fail path "has a definition that is not of type ${type.name}"
    else
      { value = type.merge path values; };

  build =
    path: options: definitions:
    if typed "option" options then
      let
        settled = settle path options.type (
          definitions ++ (if options ? default then [ (mkOverride 1500 options.default) ] else [ ])
        );
      in
      if settled == null then fail path "was accessed and has no value" else settled.value
    else
      let
        sets = builtins.concatMap pushDown definitions;
        unknown = builtins.filter (n: !(options ? ${n})) (builtins.concatMap builtins.attrNames sets);
      in
      if unknown != [ ] then
        fail (path ++ [ (builtins.head unknown) ]) "does not exist"
      else
        builtins.mapAttrs (
          n: o: build (path ++ [ n ]) o (map (s: s.${n}) (builtins.filter (s: s ? ${n}) sets))
        ) options;

  mergeOptions =
    a: b:
    if typed "option" a || typed "option" b then
      builtins.throw "an option is declared twice"
    else
      a // builtins.mapAttrs (n: v: if a ? ${n} then mergeOptions a.${n} v else v) b;

  # forced: a misspelt name is an error although nobody reads it.
  forced =
    options: config:
    if typed "option" options then
      true
    else
      builtins.isAttrs config && builtins.all (n: forced options.${n} config.${n}) (builtins.attrNames options);

  evalModules =
    {
      modules,
      specialArgs ? { },
    }:
    let
      load =
        m:
        let
          f = if builtins.isPath m then import m else m;
          v = if builtins.isFunction f then f args else f;
        in
        builtins.concatMap load (v.imports or [ ])
        ++ [
          (
            if v ? options || v ? config then
              {
                options = v.options or { };
                config = v.config or { };
              }
            else
              {
                options = { };
                config = removeAttrs v [ "imports" ];
              }
          )
        ];
      args = {
        inherit config lib;
      }
      // specialArgs;
      all = builtins.concatMap load modules;
      options = builtins.foldl' mergeOptions { } (map (m: m.options) all);
      config = build [ ] options (map (m: m.config) all);
    in
    {
      inherit options;
      config = builtins.seq (forced options config) config;
    };

  one =
    path: values:
    if builtins.all (v: v == builtins.head values) values then
      builtins.head values
    else
      fail path "has definitions that differ";
  simple = name: check: {
    inherit name check;
    merge = one;
  };
  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };
in
{
  inherit evalModules mkIf mkOverride;
  mkMerge = contents: {
    _type = "merge";
    inherit contents;
  };
  mkDefault = mkOverride 1000;
  mkForce = mkOverride 50;
  mkOption = o: o // { _type = "option"; };
  mkEnableOption = what: {
    _type = "option";
    type = lib.types.bool;
    default = false;
    description = "Whether to enable ${what}.";
  };
  types = {
    bool = simple "bool" builtins.isBool;
    str = simple "str" builtins.isString;
    strMatching = pattern: simple "str matching ${pattern}" (v: builtins.isString v && builtins.match pattern v != null);
    int = simple "int" builtins.isInt;
    ints.unsigned = simple "unsigned int" (v: builtins.isInt v && v >= 0);
    path = simple "path" (v: builtins.isPath v || builtins.isString v && builtins.substring 0 1 v == "/");
    package = simple "package" (v: builtins.isAttrs v && v.type or "" == "derivation");
    enum = values: simple "one of ${builtins.toJSON values}" (v: builtins.elem v values);
    anything = simple "anything" (_: true);
    nullOr = t: {
      name = "null or ${t.name}";
      check = v: v == null || t.check v;
      merge = path: values: if builtins.elem null values then one path values else t.merge path values;
    };
    listOf = t: {
      name = "list of ${t.name}";
      check = v: builtins.isList v && builtins.all t.check v;
      merge = _: builtins.concatLists;
    };
    attrsOf = t: {
      name = "attrs of ${t.name}";
      check = builtins.isAttrs;
      merge =
        path: values:
        let
          sets = builtins.concatMap pushDown values;
          settled = n: settle (path ++ [ n ]) t (map (s: s.${n}) (builtins.filter (s: s ? ${n}) sets));
          names = builtins.filter (n: settled n != null) (builtins.attrNames (builtins.foldl' (a: b: a // b) { } sets));
        in
        lib.genAttrs names (n: (settled n).value);
    };
    submodule = module: {
      name = "submodule";
      check = builtins.isAttrs;
      merge = _: values: (evalModules { modules = [ module ] ++ map (v: { config = v; }) values; }).config;
    };
  };
}
