// swift-tools-version: 6.0
import PackageDescription

// Face editing for iOS apps: add this repository as a package and import EditorKit. ios_demo/README.md tells how.

// Apple systems bring CryptoKit. Elsewhere hashes and signatures are checked by the system's OpenSSL; this exists for tests and
// servers on Linux, and Xcode never sees it.
#if os(Linux)
    let cryptography: [Target] = [
        .systemLibrary(
            name: "COpenSSL", path: "ios_demo/EditorKit/Sources/COpenSSL", pkgConfig: "libcrypto",
            providers: [.apt(["libssl-dev"])])
    ]
#else
    let cryptography: [Target] = []
#endif

func sources(_ name: String) -> String { "ios_demo/EditorKit/Sources/\(name)" }
func tests(_ name: String) -> String { "ios_demo/EditorKit/Tests/\(name)" }

let package = Package(
    name: "EditorKit",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [.library(name: "EditorKit", targets: ["EditorKit"])],
    targets: [
        .target(
            name: "EditorKit", dependencies: ["EditorCore", "EditorCoreML"], path: sources("EditorKit")),
        .target(
            name: "EditorCore", dependencies: cryptography.map { .target(name: $0.name) }, path: sources("EditorCore")),
        .target(name: "EditorCoreML", dependencies: ["EditorCore"], path: sources("EditorCoreML")),
        // Times the pictures' path on the machine that runs it.
        .executableTarget(name: "EditorTimings", dependencies: ["EditorCore"], path: sources("EditorTimings")),
        .testTarget(name: "EditorCoreTests", dependencies: ["EditorCore"], path: tests("EditorCoreTests")),
        .testTarget(name: "EditorCoreMLTests", dependencies: ["EditorCoreML"], path: tests("EditorCoreMLTests")),
    ] + cryptography
)
