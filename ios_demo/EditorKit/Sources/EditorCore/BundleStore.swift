import Foundation

/// The bundle that an app works with: the one it was built with, or an update that was installed since.
///
/// Every version lies in a folder of its own, and one small file says which is used. It is replaced by a rename, so that a crash
/// leaves the old version or the new one, never half of each.
public actor BundleStore {
    private let embedded: URL
    private let folder: URL
    private let signer: String?

    /// - Parameters:
    ///   - embedded: the bundle that the app was built with.
    ///   - folder: a directory of the app's own, made when it is needed.
    ///   - signer: base64 of the DER public key that must have signed every update; nil is the signer of the bundle in use, if it has
    ///     one. The embedded bundle is as trustworthy as the app that it came with.
    public init(embedded: URL, folder: URL, signer: String? = nil) {
        self.embedded = embedded
        self.folder = folder
        self.signer = signer
    }

    /// The bundle in use, checked from its first to its last byte.
    public func current() throws(BundleError) -> EditorBundle {
        try bundle(try selection().current)
    }

    /// Whether `rollback` has a version to go back to.
    public func canRollBack() -> Bool { (try? selection().current) != nil }

    /// Puts an update into use.
    ///
    /// An update is the newer bundle, less any files that the one in use lists with the same hash: for a new prompt, little more than
    /// that prompt. The bundle in use stays until the new one is whole, checked and accepted.
    ///
    /// - Parameters:
    ///   - update: a directory.
    ///   - accept: a last look at the new bundle before it is used, e.g. its self-test; what it throws refuses the update.
    /// - Throws: `BundleError`, or what `accept` throws; the bundle in use is then the same as before.
    @discardableResult
    public func install(
        _ update: URL, accept: @Sendable (EditorBundle) async throws -> Void = { _ in }
    ) async throws -> EditorBundle {
        let before = try selection()
        let old = try current()
        let new = try EditorBundle.manifest(at: update)
        guard new.name == old.manifest.name, new.target == old.manifest.target else {
            throw BundleError(
                .update,
                "the update is for \(new.name) on \(new.target); installed is \(old.manifest.name) on \(old.manifest.target)"
            )
        }
        let scratch = folder.appending(path: ".new-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: scratch) }
        try gather(new, from: update, and: old, into: scratch)
        let checked = try EditorBundle(at: scratch, signer: signer ?? old.manifest.signer)
        try await accept(checked)
        // While `accept` was waiting, another update may have come to its end.
        guard try selection() == before else { throw BundleError(.update, "another update was installed meanwhile") }
        guard new.digest != before.current else { return old }
        try keep(scratch, as: new.digest)
        try select(Selection(embedded: before.embedded, current: new.digest, previous: before.current))
        return try current()
    }

    /// Goes back to the version before the last update; the updated one is dropped.
    ///
    /// - Throws: the version before is damaged; the one in use stays.
    @discardableResult
    public func rollback() throws(BundleError) -> EditorBundle {
        let before = try selection()
        let bundle = try bundle(before.previous)
        try select(Selection(embedded: before.embedded, current: before.previous))
        return bundle
    }

    /// Versions by the digests of their manifests; nil is the embedded one.
    private struct Selection: Codable, Equatable {
        /// The embedded one when the update was installed.
        var embedded: String
        var current: String?
        var previous: String?
    }

    private var selectionFile: URL { folder.appending(path: "selection.json") }

    private func selection() throws(BundleError) -> Selection {
        let fresh = Selection(embedded: try EditorBundle.manifest(at: embedded).digest)
        guard FileManager.default.fileExists(atPath: selectionFile.path) else { return fresh }
        let stored = try system { try JSONDecoder().decode(Selection.self, from: Data(contentsOf: selectionFile)) }
        // A new version of the app with another bundle is newer than any update of the old one.
        return stored.embedded == fresh.embedded ? stored : fresh
    }

    private func select(_ selection: Selection) throws(BundleError) {
        try system { try JSONEncoder().encode(selection).write(to: selectionFile, options: .atomic) }
        let used = [selection.current, selection.previous].compactMap { $0 } + [selectionFile.lastPathComponent]
        // What is no longer used is only a matter of space; a version that cannot be removed now goes with the next update.
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [] where !used.contains(name) {
            try? FileManager.default.removeItem(at: folder.appending(path: name))
        }
    }

    private func bundle(_ version: String?) throws(BundleError) -> EditorBundle {
        guard let version else { return try EditorBundle(at: embedded) }
        return try EditorBundle(at: folder.appending(path: version), signer: signer)
    }

    private func gather(
        _ new: Manifest, from update: URL, and old: EditorBundle, into scratch: URL
    ) throws(BundleError) {
        let brought = Set(try EditorBundle.sizes(below: update).keys)
        let kept = Dictionary(old.manifest.files.map { ($0.path, $0.sha256) }) { $1 }
        let shared = new.files.filter { !brought.contains($0.path) && kept[$0.path] == $0.sha256 }.map(\.path)
        try system {
            for (origin, paths) in [(update, brought.sorted()), (old.root, shared)] {
                for path in paths {
                    let target = scratch.appending(path: path)
                    try FileManager.default.createDirectory(
                        at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
                    try FileManager.default.copyItem(at: origin.appending(path: path), to: target)
                }
            }
        }
    }

    private func keep(_ scratch: URL, as version: String) throws(BundleError) {
        let place = folder.appending(path: version)
        try system {
            // A version that is not in use may be there already, as after a rollback.
            if FileManager.default.fileExists(atPath: place.path) { try FileManager.default.removeItem(at: place) }
            try FileManager.default.moveItem(at: scratch, to: place)
        }
    }

    /// Does what only the system can refuse.
    private func system<Value>(_ work: () throws -> Value) throws(BundleError) -> Value {
        do {
            return try work()
        } catch {
            throw BundleError(
                .system, "cannot use the folder \(folder.lastPathComponent): \(error.localizedDescription)")
        }
    }
}
