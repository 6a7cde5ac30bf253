#if canImport(CoreML)
    import CoreML
    import EditorCore
    import Foundation

    /// Networks as Core ML compiled them on this device. Compiling takes seconds, so that each network is compiled once per version of
    /// its files and of the system.
    public actor CompiledModelCache {
        /// The one that an app needs, in its caches.
        public static let standard = CompiledModelCache(folder: .cachesDirectory.appending(path: "CompiledModels"))

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

        /// Throws a compiled network away, so that it is compiled anew.
        public func discard(_ part: Manifest.Part, of bundle: EditorBundle) throws {
            let place = folder.appending(path: Self.key(of: part, in: bundle))
            guard FileManager.default.fileExists(atPath: place.path) else { return }
            try FileManager.default.removeItem(at: place)
        }

        /// Whether a bundle has passed its self-test on this version of the system.
        func hasPassed(_ bundle: EditorBundle) -> Bool {
            FileManager.default.fileExists(atPath: folder.appending(path: Self.mark(of: bundle)).path)
        }

        func markPassed(_ bundle: EditorBundle) throws {
            try Data().write(to: folder.appending(path: Self.mark(of: bundle)))
        }

        /// Drops what no network of a bundle uses, as after an update.
        public func keepOnly(_ bundle: EditorBundle) throws {
            let used = Set(bundle.manifest.parts.map { Self.key(of: $0, in: bundle) } + [Self.mark(of: bundle)])
            guard FileManager.default.fileExists(atPath: folder.path) else { return }
            for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where !used.contains(name) {
                try FileManager.default.removeItem(at: folder.appending(path: name))
            }
        }

        private static func key(of part: Manifest.Part, in bundle: EditorBundle) -> String {
            "\(bundle.digest(of: part))-\(system).mlmodelc"
        }

        private static func mark(of bundle: EditorBundle) -> String { "\(bundle.manifest.digest)-\(system).passed" }

        private static var system: String {
            let version = ProcessInfo.processInfo.operatingSystemVersion
            return "\(version.majorVersion).\(version.minorVersion).\(version.patchVersion)"
        }

        private static func compile(_ package: URL, into place: URL) async throws -> URL {
            let compiled = try await MLModel.compileModel(at: package)
            try FileManager.default.createDirectory(
                at: place.deletingLastPathComponent(), withIntermediateDirectories: true)
            // A rename: whoever looks finds a whole model or none. Another cache on this folder may have been faster.
            do {
                try FileManager.default.moveItem(at: compiled, to: place)
            } catch CocoaError.fileWriteFileExists {
                try FileManager.default.removeItem(at: compiled)
            }
            return place
        }
    }
#endif
