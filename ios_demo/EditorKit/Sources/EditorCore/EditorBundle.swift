import Foundation

/// A bundle directory whose manifest, file sizes and hashes have been checked. Nothing in it has been run.
public struct EditorBundle: Sendable {
    // Far above any bundle of phone networks, far below what exhausts a phone that receives one.
    static let maximumFiles = 4096
    static let maximumBytes = 1 << 30

    /// Where it lies.
    public let root: URL
    /// What it holds.
    public let manifest: Manifest
    /// The texts [R, D] of the prompts that are vectors, by prompt.
    let texts: [String: Tensor]

    /// Opens a bundle after checking everything that can be checked without running it.
    ///
    /// - Parameters:
    ///   - root: the bundle's directory.
    ///   - signer: base64 of the DER public key that must have signed the bundle; nil takes any signer or none.
    /// - Throws: naming the file that is missing, unlisted, damaged, too large, linked or unsafely named.
    public init(at root: URL, signer: String? = nil) throws(BundleError) {
        let present = try Self.sizes(below: root)
        let data = try Self.manifestData(root, present)
        let manifest = try Manifest(parsing: data)
        try Self.checkSignature(root, manifest, data, present, signer)
        try Self.checkListing(manifest, present)
        try manifest.checkReferences()
        try manifest.checkCompositor()
        for file in manifest.files {
            guard try Digest.sha256(fileAt: root.appending(path: file.path)) == file.sha256 else {
                throw BundleError(
                    .content, "\(file.path) does not match its sha256; the file is damaged or was changed")
            }
        }
        self.root = root
        self.manifest = manifest
        texts = try Self.texts(root, manifest)
    }

    /// Where a listed file, or the directory of a Core ML package, lies on this device.
    public func url(_ path: String) -> URL { root.appending(path: path) }

    /// What tells one version of a network from another: a hash of the hashes of its files.
    public func digest(of part: Manifest.Part) -> String {
        let files = manifest.files.filter { $0.path == part.file || $0.path.hasPrefix(part.file + "/") }
        let lines = files.sorted { $0.path < $1.path }.map { "\($0.sha256) \($0.path.dropFirst(part.file.count))\n" }
        return Digest.sha256(Data(lines.joined().utf8))
    }

    /// The manifest of a bundle directory, checked by itself; no other file is looked at.
    static func manifest(at root: URL) throws(BundleError) -> Manifest {
        try Manifest(parsing: try manifestData(root, try sizes(below: root)))
    }

    /// Maps each regular file below a directory (POSIX path) to its size in bytes.
    static func sizes(below root: URL) throws(BundleError) -> [String: Int] {
        var found: [String: Int] = [:]
        var folders = [""]
        do {
            while let folder = folders.popLast() {
                for name in try FileManager.default.contentsOfDirectory(atPath: root.appending(path: folder).path) {
                    let path = folder.isEmpty ? name : "\(folder)/\(name)"
                    // Attributes are those of a link itself, not of what it points at.
                    let attributes = try FileManager.default.attributesOfItem(atPath: root.appending(path: path).path)
                    switch attributes[.type] as? FileAttributeType {
                    case .typeDirectory?: folders.append(path)
                    case .typeRegular?: found[path] = (attributes[.size] as? NSNumber)?.intValue ?? 0
                    default:
                        throw BundleError(
                            .listing, "\(path) is a link or special file; a bundle holds plain files only")
                    }
                }
                try checkBudget(found.count, found.values.reduce(0, +), root.lastPathComponent)
            }
        } catch let error as BundleError {
            throw error
        } catch {
            throw BundleError(.system, "cannot read \(root.lastPathComponent): \(error.localizedDescription)")
        }
        return found
    }

    private static func manifestData(_ root: URL, _ present: [String: Int]) throws(BundleError) -> Data {
        guard let size = present[Manifest.fileName] else {
            throw BundleError(.manifest, "\(root.lastPathComponent) is not a bundle: \(Manifest.fileName) is missing")
        }
        guard size <= Manifest.maximumBytes else {
            throw BundleError(
                .manifest, "\(Manifest.fileName) has \(size) bytes; a manifest has at most \(Manifest.maximumBytes)")
        }
        return try data(root, Manifest.fileName)
    }

    private static func data(_ root: URL, _ path: String) throws(BundleError) -> Data {
        do {
            return try Data(contentsOf: root.appending(path: path))
        } catch {
            throw BundleError(.system, "cannot read \(path): \(error.localizedDescription)")
        }
    }

    private static func checkSignature(
        _ root: URL, _ manifest: Manifest, _ data: Data, _ present: [String: Int], _ known: String?
    ) throws(BundleError) {
        let (manifestName, signatureName) = (Manifest.fileName, Manifest.signatureName)
        guard let signer = manifest.signer else {
            if present[signatureName] != nil {
                throw BundleError(.signature, "\(signatureName) is there but \(manifestName) names no signer")
            }
            if known != nil { throw BundleError(.signature, "\(manifestName) is not signed") }
            return
        }
        guard present[signatureName] != nil else {
            throw BundleError(.signature, "\(signatureName) is missing; \(manifestName) says that it was signed")
        }
        guard known == nil || known == signer else {
            throw BundleError(.signature, "\(manifestName) was signed by another key than the one that is known")
        }
        let signature = try Self.data(root, signatureName)
        guard try Signature.isValid(signature, of: data, by: signer, source: signatureName) else {
            throw BundleError(
                .signature,
                "\(signatureName) is not a signature of \(manifestName) by its key; it was changed after signing")
        }
    }

    private static func checkListing(_ manifest: Manifest, _ present: [String: Int]) throws(BundleError) {
        try checkBudget(manifest.files.count, manifest.files.reduce(0) { $0 + $1.bytes }, Manifest.fileName)
        for file in manifest.files {
            guard let size = present[file.path] else {
                throw BundleError(.listing, "\(file.path) is missing from the bundle")
            }
            guard size == file.bytes else {
                throw BundleError(.listing, "\(file.path) has \(size) bytes; \(Manifest.fileName) lists \(file.bytes)")
            }
        }
        let known = Set(manifest.files.map(\.path)).union([Manifest.fileName, Manifest.signatureName])
        if let extra = present.keys.sorted().first(where: { !known.contains($0) }) {
            throw BundleError(.listing, "\(extra) is in the bundle but not listed in \(Manifest.fileName)")
        }
    }

    private static func checkBudget(_ count: Int, _ bytes: Int, _ source: String) throws(BundleError) {
        guard count <= maximumFiles, bytes <= maximumBytes else {
            throw BundleError(
                .listing,
                "\(source) announces \(count) files and \(bytes) bytes; the limits are \(maximumFiles) and \(maximumBytes)"
            )
        }
    }

    private static func texts(_ root: URL, _ manifest: Manifest) throws(BundleError) -> [String: Tensor] {
        var texts: [String: Tensor] = [:]
        for prompt in manifest.prompts {
            guard let path = prompt.vector else { continue }
            let rows = try Tensor(littleEndian: try data(root, path), shape: try manifest.textShape(), source: path)
            guard rows.isFinite else {
                throw BundleError(.content, "\(path) holds a number that is not finite")
            }
            texts[prompt.id] = rows
        }
        return texts
    }
}

extension Manifest {
    /// Every part and prompt points at files that are listed.
    fileprivate func checkReferences() throws(BundleError) {
        let listed = Set(files.map(\.path))
        let files = Dictionary(parts.map { ($0.part, $0.file) }) { $1 }
        for part in parts
        where !listed.contains(part.file) && !listed.contains(where: { $0.hasPrefix(part.file + "/") }) {
            throw refusal("points part '\(part.part)' at \(part.file), which it does not list")
        }
        for prompt in prompts {
            guard files[prompt.part] == prompt.file else {
                throw refusal("has no part '\(prompt.part)' with file \(prompt.file) for prompt '\(prompt.id)'")
            }
            let isShared = prompt.part == Self.textEditor
            guard isShared == (prompt.vector != nil), prompt.vector.map(listed.contains) ?? true else {
                throw refusal("has vector \(prompt.vector ?? "null") for prompt '\(prompt.id)' of part \(prompt.part)")
            }
        }
        for example in golden {
            guard listed.isSuperset(of: [example.input, example.output]), files[example.part] != nil else {
                throw refusal("has a golden case for '\(example.part)' whose files it does not list")
            }
        }
    }

    private func refusal(_ reason: String) -> BundleError { BundleError(.manifest, "\(Self.fileName) \(reason)") }
}
