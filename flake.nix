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
    in
    {
      packages = each (_: pkgs: rec {
        default = pulse;
        pulse =
          assert lib.assertMsg (lib.versionAtLeast pkgs.go.version minGo)
            "pulse needs Go ${minGo} or newer, this nixpkgs has ${pkgs.go.version}";
          pkgs.buildGoModule {
            pname = "pulse";
            version = "0-unstable-${self.lastModifiedDate or "19700101"}";
            src = self;
            # Computed, never guessed: scripts/vendor-hash.sh compares it, make tidy rewrites it.
            vendorHash = "sha256-bAUbm2L03h2psX2tttZRFD+lfoHropyMS0zUbrXM0SE=";
            subPackages = [ "cmd/pulse" ];
            env.CGO_ENABLED = 0;
            ldflags = [ "-s" ];
            # What needs no machine of its own; make test runs the rest.
            checkPhase = ''
              runHook preCheck
              go vet ./...
              go test ./tlv/... ./internal/narhash/...
              runHook postCheck
            '';
            meta = {
              description = "Transport engine for latency-critical trading systems";
              license = lib.licenses.asl20;
              mainProgram = "pulse";
              platforms = lib.platforms.unix;
            };
          };
      });

      # nix develop -c make test: go, make and the C compiler the race detector links with.
      devShells = each (_: pkgs: {
        default = pkgs.mkShell {
          packages = [
            pkgs.go
            pkgs.gnumake
            pkgs.git
          ];
        };
      });

      checks = each (system: pkgs: {
        package = self.packages.${system}.default;
        format = pkgs.runCommand "pulse-format" { nativeBuildInputs = [ pkgs.go ]; } ''
          unformatted=$(gofmt -l ${self})
          if [ -n "$unformatted" ]; then
            echo "not formatted: $unformatted"
            exit 1
          fi
          touch $out
        '';
      });
    };
}
