#if canImport(CoreML)
    import CoreML
    import EditorCore
    import Foundation

    /// Networks as Core ML compiled them on this device. Compiling takes seconds, so that each network is compiled once per version of
    /// its files and of the system.
    public actor CompiledModelCache {
        private let folder: URL
        private var compiling: [String: Task<URL, any Error>] = [:]

        /// - Parameter folder: a directory of the app's own, best below its caches; made when it is needed.
        public init(folder: URL) {
            self.folder = folder
        }

        /// Where a network lies in compiled form; it is compiled if it has not been before.
        public func url(of part: Manifest.Part, in bundle: EditorBundle) async throws -> URL {
            let key = Self.key(of: part, in: bundle)
            if let task = compiling[key] { return try await task.value }
            let place = folder.appending(path: key, directoryHint: .isDirectory)
            if FileManager.default.fileExists(atPath: place.path) { return place }
            let task = Task { try await Self.compile(bundle.url(part.file), into: place) }
            compiling[key] = task
            defer { compiling[key] = nil }
            return try await task.value
        }

        /// Drops what no network of a bundle uses, as after an update.
        public func keepOnly(_ bundle: EditorBundle) throws {
            let used = Set(bundle.manifest.parts.map { Self.key(of: $0, in: bundle) })
            guard FileManager.default.fileExists(atPath: folder.path) else { return }
            for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where !used.contains(name) {
                try FileManager.default.removeItem(at: folder.appending(path: name))
            }
        }

        private static func key(of part: Manifest.Part, in bundle: EditorBundle) -> String {
            let version = ProcessInfo.processInfo.operatingSystemVersion
            let system = "\(version.majorVersion).\(version.minorVersion).\(version.patchVersion)"
            return "\(bundle.digest(of: part))-\(system).mlmodelc"
        }

        private static func compile(_ package: URL, into place: URL) async throws -> URL {
            let compiled = try await MLModel.compileModel(at: package)
            try FileManager.default.createDirectory(
                at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
            // A rename: whoever looks finds a whole model or none.
            try FileManager.default.moveItem(at: compiled, to: place)
            return place
        }
    }
#endif
