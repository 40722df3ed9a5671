{
  description = "Pulse: a transport engine for latency-critical trading systems";

  # Any nixpkgs whose go is new enough will do; nix pins the one it finds in flake.lock at first use.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "aarch64-darwin" # builds; what needs the Linux kernel answers errors.ErrUnsupported
      ];
      each = f: lib.genAttrs systems (system: f system nixpkgs.legacyPackages.${system});
      minGo = "1.26";
      version = "0-unstable-${self.lastModifiedDate or "19700101"}";
    in
    {
      packages = each (_: pkgs: rec {
        default = pulse;
        pulse =
          assert lib.assertMsg (lib.versionAtLeast pkgs.go.version minGo)
            "pulse needs Go ${minGo} or newer, this nixpkgs has ${pkgs.go.version}";
          pkgs.buildGoModule {
            pname = "pulse";
            inherit version;
            src = self;
            # Computed, never guessed: scripts/vendor-hash.sh compares it, make tidy rewrites it.
            vendorHash = "sha256-3kfiWuNzTPL9oUUbDBBHwpQAlt6EmkReAJp64OVfR7o=";
            subPackages = [ "cmd/pulse" ];
            env.CGO_ENABLED = 0; # static
            ldflags = [
              "-s"
              "-X main.version=${version}"
              "-X github.com/alphapulse/transport/bench.Commit=${self.shortRev or self.dirtyShortRev or "unknown"}"
            ];
            nativeBuildInputs = [
              pkgs.gnumake
              pkgs.installShellFiles
            ];
            # What needs no machine of its own; make test runs the rest.
            checkPhase = ''
              runHook preCheck
              make -s check
              runHook postCheck
            '';
            # The program writes its own pages, so it has to run where it is built.
            postInstall = lib.optionalString (pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform) ''
              $out/bin/pulse man man1
              installManPage man1/*.1
              for shell in bash zsh fish; do
                $out/bin/pulse completion $shell >pulse.$shell
                installShellCompletion --cmd pulse --$shell pulse.$shell
              done
            '';
            meta = {
              description = "Transport engine for latency-critical trading systems";
              license = lib.licenses.asl20;
              mainProgram = "pulse";
              platforms = lib.platforms.unix;
            };
          };
      });

      overlays.default = final: _: { inherit (self.packages.${final.stdenv.hostPlatform.system}) pulse; };

      # services.pulse and pulse.tunedHost: docs/install.md.
      nixosModules.default =
        { pkgs, ... }:
        {
          imports = [ ./nix/module.nix ];
          services.pulse.package = lib.mkDefault self.packages.${pkgs.stdenv.hostPlatform.system}.pulse;
        };

      # nix develop -c make test: go, make, the C compiler the race detector links with, and what tests speak with.
      devShells = each (_: pkgs: {
        default = pkgs.mkShell {
          packages =
            with pkgs;
            [
              go
              gnumake
              git
              redis
              rabbitmq-server
              apacheKafka
              jre_headless
              maven
              prometheus
            ]
            ++ lib.optionals stdenv.hostPlatform.isLinux [
              chromium
              ethtool
              iproute2
              nftables
              nix
            ];
        };
      });

      checks = each (system: pkgs: {
        # Runs make check before it installs.
        package = self.packages.${system}.default;
        format = pkgs.runCommand "pulse-format" { nativeBuildInputs = [ pkgs.go ]; } ''
          unformatted=$(gofmt -l ${self})
          if [ -n "$unformatted" ]; then
            echo "not formatted: $unformatted"
            exit 1
          fi
          touch $out
        '';
        # Evaluated with the lib of this nixpkgs.
        module = pkgs.runCommand "pulse-module" { } ''
          echo "${toString (import ./nix/ci/module-test.nix { inherit lib; })} checks of the module" >$out
        '';
      });
    };
}
