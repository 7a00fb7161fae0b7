# docker buildx bake             the image for this machine, as `docker compose build` makes it
# docker buildx bake release     for amd64 and arm64, with an SBOM and its provenance attached, pushed to REGISTRY
#                                (REGISTRY=registry.example/team/ REVISION=$(git rev-parse HEAD) in the environment)
variable "REGISTRY" { default = "" }
variable "VERSION" { default = "0.1.0" }
variable "REVISION" { default = "unknown" }

target "default" {
  args = { VERSION = VERSION, REVISION = REVISION }
  tags = ["labelstream:${VERSION}"]
}

target "release" {
  inherits  = ["default"]
  platforms = ["linux/amd64", "linux/arm64"]
  tags      = ["${REGISTRY}labelstream:${VERSION}"]
  attest    = ["type=sbom", "type=provenance,mode=max"]
  output    = ["type=registry"]
}
