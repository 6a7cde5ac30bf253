import Foundation
import Testing

@testable import EditorCore

@Suite("Manifests, signatures and bundles are judged as in Python")
struct TrustTests {
    @Test func manifests() throws {
        let folder = Contracts.folder.appending(path: "manifest")
        let raw = try Data(contentsOf: folder.appending(path: "verdicts.json"))
        let verdicts = try JSONDecoder().decode([String: String?].self, from: raw)
        #expect(verdicts.count > 10)
        for (name, words) in verdicts {
            let data = try Data(contentsOf: folder.appending(path: name))
            expectVerdict(words, name) { () throws(BundleError) in _ = try Manifest(parsing: data, source: name) }
        }
    }

    @Test func repeatedKeysAreFound() {
        let cases = [#"{"a": 1, "a": 1}"#, #"{"b": [{"\u0061": 1, "a": {"a": 2}}]}"#]
        for text in cases {
            expectVerdict("repeats a key", text) { () throws(BundleError) in
                _ = try JSON.parse(Data(text.utf8), source: "text")
            }
        }
        expectVerdict(nil, "equal keys of other objects") { () throws(BundleError) in
            _ = try JSON.parse(Data(#"{"a": {"a": "\"a\": "}, "b": [{"a": 1}, {"a": 2}]}"#.utf8), source: "text")
        }
    }

    @Test func everyFlippedByteOfAManifestIsNoticed() throws {
        let data = try Data(contentsOf: Contracts.folder.appending(path: "manifest/valid.json"))
        for position in stride(from: 0, to: data.count, by: 13) {
            var damaged = data
            damaged[position] ^= 1
            #expect(throws: BundleError.self, "byte \(position)") { try Manifest(parsing: damaged) }
        }
    }

    @Test func aPrecisionThatIsOnlyShownMayBeNew() throws {
        let text = try String(contentsOf: Contracts.folder.appending(path: "manifest/valid.json"), encoding: .utf8)
        let old = try Manifest(parsing: Data(text.utf8))
        for (name, isTaken) in [("fp4_block", true), ("FP16", false), ("", false), (String(repeating: "a", count: 33), false)] {
            let changed = text.replacingOccurrences(of: #""precision": "fp16""#, with: #""precision": "\#(name)""#)
            // The digest leaves out its own digits.
            let digest = Digest.sha256(Data(changed.replacingOccurrences(of: old.digest, with: "").utf8))
            let data = Data(changed.replacingOccurrences(of: old.digest, with: digest).utf8)
            expectVerdict(isTaken ? nil : "precision", name) { () throws(BundleError) in
                _ = try Manifest(parsing: data)
            }
        }
    }

    struct Signatures: Decodable {
        struct Case: Decodable {
            let name: String
            let publicKey: String
            let message: Data
            let signature: Data
            let valid: Bool
        }
        let cases: [Case]
    }

    @Test func signatures() throws {
        let vectors: Signatures = try Contracts.load("signatures.json")
        for example in vectors.cases {
            let valid =
                (try? Signature.isValid(
                    example.signature, of: example.message, by: example.publicKey, source: example.name)) ?? false
            #expect(valid == example.valid, "\(example.name)")
        }
    }

    struct Bundles: Decodable {
        struct Case: Decodable {
            let name: String
            let files: [String: String]
            let links: [String: String]
            let publicKey: String?
            let refused: String?
        }
        let contents: Contents
        let cases: [Case]
    }

    @Test func bundles() async throws {
        let vectors: Bundles = try Contracts.load("bundles.json")
        for example in vectors.cases {
            try await withFolder { folder in
                let root = try vectors.contents.write(example.files, to: folder.appending(path: "demo.textedit"))
                for (path, target) in example.links {
                    let link = root.appending(path: path)
                    try FileManager.default.createDirectory(
                        at: link.deletingLastPathComponent(), withIntermediateDirectories: true)
                    try FileManager.default.createSymbolicLink(atPath: link.path, withDestinationPath: target)
                }
                expectVerdict(example.refused, example.name) { () throws(BundleError) in
                    _ = try EditorBundle(at: root, signer: example.publicKey)
                }
            }
        }
    }
}

@Suite("What compiled networks are kept by")
struct PartDigestTests {
    @Test func everyNetworkHasADigestOfItsOwnFilesAlone() async throws {
        let digests = try await withBundle { bundle in bundle.manifest.parts.map(bundle.digest) }
        #expect(Set(digests).count == digests.count)
        // The bundle without the vector prompt holds the same files for the networks that both have.
        let others = try await withBundle("own editors alone") { bundle in bundle.manifest.parts.map(bundle.digest) }
        #expect(others.count == 3 && Set(others).isSubset(of: digests))
    }
}

/// What files of the vectors hold, by the start of their hash.
struct Contents: Decodable {
    let texts: [String: String]

    init(from decoder: any Decoder) throws {
        texts = try decoder.singleValueContainer().decode([String: String].self)
    }

    func data(_ hash: String) throws -> Data {
        let text = try #require(texts[hash])
        guard text.hasPrefix("base64:") else { return Data(text.utf8) }
        return try #require(Data(base64Encoded: String(text.dropFirst("base64:".count))))
    }

    @discardableResult
    func write(_ files: [String: String], to root: URL) throws -> URL {
        for (path, hash) in files {
            let file = root.appending(path: path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try data(hash).write(to: file)
        }
        return root
    }
}

/// Records an issue unless the work ends as Python's does: well for nil, or refused with these words.
func expectVerdict(
    _ words: String?, _ name: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ work: () throws(BundleError) -> Void
) {
    do {
        try work()
        #expect(words == nil, "\(name) was taken", sourceLocation: sourceLocation)
    } catch {
        let expected = words.map { error.description.contains($0) } ?? false
        #expect(expected, "\(name): \(error)", sourceLocation: sourceLocation)
    }
}

/// Calls with an empty folder that vanishes afterwards.
func withFolder<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(folder)
}
