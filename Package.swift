// swift-tools-version: 6.2
import Foundation
import PackageDescription

/// The processor that the program is built for. Kernels are written with 512-bit Swift SIMD types, which the compiler
/// lowers to what the target has; without this setting that would be SSE2, several times slower.
let architecture = ProcessInfo.processInfo.environment["IMAGIC_ARCH"] ?? "native"

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .unsafeFlags([
    "-warnings-as-errors",
    "-Xcc", "-march=\(architecture)",
    // Lets the compiler use the vector square root; no program here reads errno after a square root.
    "-Xcc", "-fno-math-errno",
  ]),
]

func library(_ name: String, _ pkgConfig: String, package: String) -> Target {
  .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([package])])
}

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = [])
  -> Target
{
  .testTarget(
    name: "\(name)Tests", dependencies: [.byName(name: name)] + dependencies, resources: resources,
    swiftSettings: settings)
}

func executable(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .executableTarget(
    name: name,
    dependencies: [
      "Commands", .product(name: "ArgumentParser", package: "swift-argument-parser"),
    ] + dependencies,
    swiftSettings: settings)
}

let package = Package(
  name: "imagic",
  products: [
    .executable(name: "embed-optimize", targets: ["embed-optimize"]),
    .executable(name: "model-finetune", targets: ["model-finetune"]),
    .executable(name: "interpolate-generate", targets: ["interpolate-generate"]),
    .executable(name: "model-probe", targets: ["model-probe"]),
    .executable(name: "scene-render", targets: ["scene-render"]),
    .executable(name: "edit-bench", targets: ["edit-bench"]),
    .executable(name: "seam-bench", targets: ["seam-bench"]),
    .executable(name: "base-train", targets: ["base-train"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    library("CPNG", "libpng", package: "libpng-dev"),
    library("CJPEG", "libturbojpeg", package: "libturbojpeg0-dev"),
    library("CWebP", "libwebp", package: "libwebp-dev"),
    library("CFreeType", "freetype2", package: "libfreetype-dev"),
    library("COpenBLAS", "openblas", package: "libopenblas-dev"),
    library("CHDF5", "hdf5", package: "libhdf5-dev"),
    .systemLibrary(name: "CProcessor"),

    module("Tensors", ["COpenBLAS", "CProcessor"]),
    module("Autodiff", ["Tensors"]),
    module("Layers", ["Autodiff"]),
    module("Weights", ["Tensors"]),
    module("Models", ["Layers", "Weights"]),
    module("Diffusion", ["Autodiff"]),
    module("Checkpoints", ["Tensors", "CHDF5", .product(name: "Crypto", package: "swift-crypto")]),
    module("Images", ["Tensors", "CPNG", "CJPEG", "CWebP", "CFreeType"]),
    module("Scenes", ["Images", "Tensors", "Yams"]),
    module("Measuring", ["Images", "Layers", "Weights"]),
    module("Editing", ["Models", "Diffusion", "Checkpoints", "Images", "Yams"]),
    module("Training", ["Editing"]),
    module(
      "Commands",
      ["Editing", .product(name: "ArgumentParser", package: "swift-argument-parser")]),
    module(
      "Evaluation",
      [
        "Commands", "Diffusion", "Measuring",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    executable("embed-optimize"),
    executable("model-finetune"),
    executable("interpolate-generate"),
    executable("model-probe"),
    executable("scene-render", ["Scenes"]),
    executable("edit-bench", ["Evaluation"]),
    executable("seam-bench", ["Evaluation"]),
    executable("base-train", ["Training"]),
    .executableTarget(
      name: "speed-bench",
      dependencies: [
        "CProcessor", "Models", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings),

    tests("Tensors", ["COpenBLAS"]),
    tests("Autodiff"),
    tests("Layers"),
    tests("Weights"),
    tests("Models", resources: [.copy("Resources")]),
    tests("Diffusion", resources: [.copy("Resources")]),
    tests("Checkpoints", ["CHDF5"]),
    tests("Images", ["Tensors"], resources: [.copy("References")]),
    tests("Measuring", ["Images", "Tensors", "Weights"], resources: [.copy("References")]),
    .testTarget(
      name: "ParityTests", dependencies: ["Models", "Diffusion", "Checkpoints"],
      resources: [.copy("References")], swiftSettings: settings),
    .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: settings),
    tests("Scenes", ["TestSupport", "Images", "Tensors"]),
    tests("Editing", ["TestSupport"]),
    tests("Evaluation", ["TestSupport"]),
    tests("Training", ["TestSupport"]),
    tests("Commands", ["TestSupport"]),
  ]
)
