// swift-tools-version: 6.0
import PackageDescription

// Apple systems bring CryptoKit. Elsewhere hashes and signatures are checked by the system's OpenSSL; this exists for tests and
// servers on Linux, and Xcode never sees it.
#if os(Linux)
    let cryptography: [Target] = [
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])])
    ]
#else
    let cryptography: [Target] = []
#endif

let package = Package(
    name: "EditorKit",
    platforms: [.iOS(.v18), .macOS(.v15)],
    products: [
        .library(name: "EditorCore", targets: ["EditorCore"]),
        .library(name: "EditorCoreML", targets: ["EditorCoreML"]),
    ],
    targets: [
        .target(name: "EditorCore", dependencies: cryptography.map { .target(name: $0.name) }),
        .target(name: "EditorCoreML", dependencies: ["EditorCore"]),
        .testTarget(name: "EditorCoreTests", dependencies: ["EditorCore"]),
        .testTarget(name: "EditorCoreMLTests", dependencies: ["EditorCoreML"]),
    ] + cryptography
)
