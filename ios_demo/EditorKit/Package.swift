// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "EditorKit",
    platforms: [.iOS(.v18), .macOS(.v15)],
    products: [
        .library(name: "EditorCore", targets: ["EditorCore"]),
        .library(name: "EditorCoreML", targets: ["EditorCoreML"]),
    ],
    targets: [
        .target(name: "EditorCore"),
        .target(name: "EditorCoreML", dependencies: ["EditorCore"]),
        .testTarget(name: "EditorCoreTests", dependencies: ["EditorCore"]),
        .testTarget(name: "EditorCoreMLTests", dependencies: ["EditorCoreML"]),
    ]
)
