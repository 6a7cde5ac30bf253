import Foundation

extension Manifest {
    /// Checks and reads `bundle.json`.
    ///
    /// - Parameters:
    ///   - data: the file's bytes.
    ///   - source: the name used in errors.
    /// - Throws: too long, not JSON, of another schema version, not matching its own digest or the schema, or listing unsafe paths.
    public init(parsing data: Data, source: String = Manifest.fileName) throws(BundleError) {
        guard data.count <= Self.maximumBytes else {
            throw BundleError(
                .manifest, "\(source) has \(data.count) bytes; a manifest has at most \(Self.maximumBytes)")
        }
        let json = try JSON.parse(data, source: source)
        guard case .object(let values) = json else {
            throw BundleError(.manifest, "\(source) is not a JSON object")
        }
        try Self.requireVersion(values["schema_version"], source)
        try Self.requireDigest(values["manifest_sha256"], data, source)
        try self.init(json)
        try requireSafePaths(source)
    }

    private static func requireVersion(_ value: JSON?, _ source: String) throws(BundleError) {
        guard case .number(let number)? = value, let version = Int(exactly: number) else {
            throw BundleError(.manifest, "\(source) has no integer schema_version")
        }
        guard version == pastingVersion || version == schemaVersion else {
            let advice = version > schemaVersion ? "update this app" : "export the bundle again"
            throw BundleError(
                .manifest,
                "\(source) has schema_version \(version); this app reads \(pastingVersion) and \(schemaVersion): \(advice)")
        }
    }

    /// The digest is that of the file's bytes without the digest's own 64 digits, so that no reader has to write JSON.
    private static func requireDigest(_ value: JSON?, _ data: Data, _ source: String) throws(BundleError) {
        let refusal = BundleError(
            .manifest, "\(source) does not match its own manifest_sha256; the file is damaged or was edited")
        guard case .string(let digest)? = value, isSHA256(digest) else { throw refusal }
        let field = Data("\"manifest_sha256\": \"\(digest)\"".utf8)
        guard let place = data.range(of: field) else { throw refusal }
        let digits = place.lowerBound + field.count - 65..<place.upperBound - 1
        var rest = data
        rest.removeSubrange(digits)
        guard Digest.sha256(rest) == digest else { throw refusal }
    }

    private func requireSafePaths(_ source: String) throws(BundleError) {
        if let unsafe = files.first(where: { !Self.isSafePath($0.path) }) {
            throw BundleError(
                .listing,
                "\(source) lists the unsafe path '\(unsafe.path)'; paths are relative and stay inside the bundle")
        }
        guard Set(files.map { $0.path.lowercased() }).count == files.count else {
            throw BundleError(.listing, "\(source) lists a file twice (phones and Macs ignore upper and lower case)")
        }
    }

    /// Whether a path is relative, in normal form, below its root, and means the same on every system.
    static func isSafePath(_ path: String) -> Bool {
        let plain = path.unicodeScalars.allSatisfy { $0.value >= 32 && !#"\:*?"<>|"#.unicodeScalars.contains($0) }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        return plain && parts.allSatisfy { !["", ".", ".."].contains($0) }
    }

    private static func isSHA256(_ text: String) -> Bool {
        text.utf8.count == 64 && text.utf8.allSatisfy { "0123456789abcdef".utf8.contains($0) }
    }
}

// What export/bundle.schema.json asks for, field by field.
extension Manifest {
    private init(_ json: JSON) throws(BundleError) {
        let fields = try Fields(
            json, at: [],
            names: [
                "schema_version", "manifest_sha256", "name", "target", "runtime", "pixels", "alignment", "parts",
                "prompts", "golden", "provenance", "files", "signature",
            ])
        digest = try fields.string("manifest_sha256")
        name = try fields.string("name") { $0.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9_.-]{0,63}/) != nil }
        target = try fields.choice("target")
        runtime = try fields.value("runtime", Runtime.init)
        pixels = try fields.value("pixels", PixelSpec.init)
        (cropRule, template) = try fields.value("alignment", Self.alignment)
        parts = try fields.list("parts", atLeast: 2, Part.init)
        prompts = try fields.list("prompts", Prompt.init)
        golden = try fields.list("golden", GoldenCase.init)
        checkpointID = try fields.value("provenance", Self.checkpointID)
        files = try fields.list("files", File.init)
        signer = try fields.nullable("signature") { fields throws(BundleError) in
            try fields.value("signature", Self.signer)
        }
    }

    private static func alignment(_ json: JSON, _ path: [String]) throws(BundleError) -> (CropRule, [SIMD2<Double>]) {
        let fields = try Fields(json, at: path, names: ["landmarks", "template", "crop_rule"])
        let names = try fields.list("landmarks") { json, path throws(BundleError) in
            guard case .string(let name) = json else { throw Fields.refusal(path, "is not a name") }
            return name
        }
        guard names == Landmarks.names else {
            throw Fields.refusal(path + ["landmarks"], "are others or in another order")
        }
        let template = try fields.list("template", atLeast: 5) { json, path throws(BundleError) in
            guard case .array(let pair) = json, pair.count == 2, case .number(let x) = pair[0],
                case .number(let y) = pair[1]
            else { throw Fields.refusal(path, "is not a point") }
            return SIMD2(x, y)
        }
        guard template.count == 5 else { throw Fields.refusal(path + ["template"], "has more than five points") }
        return (try fields.value("crop_rule", CropRule.init), template)
    }

    private static func checkpointID(_ json: JSON, _ path: [String]) throws(BundleError) -> String {
        let fields = try Fields(open: json, at: path, names: ["checkpoint_id", "training_data_licence", "tools"])
        _ = try fields.string("training_data_licence")
        _ = try fields.strings("tools")
        return try fields.string("checkpoint_id")
    }

    private static func signer(_ json: JSON, _ path: [String]) throws(BundleError) -> String {
        let fields = try Fields(json, at: path, names: ["algorithm", "public_key"])
        _ = try fields.string("algorithm") { $0 == "ECDSA-P256-SHA256" }
        return try fields.string("public_key")
    }
}

extension Manifest.Runtime {
    fileprivate init(_ json: JSON, _ path: [String]) throws(BundleError) {
        let fields = try Fields(json, at: path, names: ["name", "version", "backend", "min_os"])
        // Only shown: what an app runs is told by the target.
        name = try fields.string("name") { !$0.isEmpty && $0.unicodeScalars.count <= 64 }
        version = try fields.string("version")
        _ = try fields.string("backend")
        minimumOS = try fields.string("min_os")
    }
}

extension PixelSpec {
    fileprivate init(_ json: JSON, _ path: [String]) throws(BundleError) {
        let names = ["size", "minimum", "maximum", "channel_order", "color_space", "layout"]
        let fields = try Fields(json, at: path, names: names)
        _ = try fields.string("channel_order") { $0 == "RGB" }
        _ = try fields.string("color_space") { $0 == "sRGB" }
        _ = try fields.string("layout") { $0 == "NCHW" }
        self.init(
            size: try fields.integer("size", in: 8...4096), minimum: try fields.number("minimum"),
            maximum: try fields.number("maximum"))
    }
}

extension CropRule {
    fileprivate init(_ json: JSON, _ path: [String]) throws(BundleError) {
        let fields = try Fields(json, at: path, names: ["eye_factor", "mouth_factor", "margin", "drop"])
        self.init(
            eyeFactor: try fields.number("eye_factor"), mouthFactor: try fields.number("mouth_factor"),
            margin: try fields.number("margin"), drop: try fields.number("drop"))
    }
}

extension Manifest.Part {
    private static let names = [
        "part", "file", "precision", "bytes", "input", "output", "parity", "operations", "undelegated", "kept_float",
    ]

    fileprivate init(_ json: JSON, _ path: [String]) throws(BundleError) {
        let fields = try Fields(json, at: path, names: Self.names, optional: ["compute_units", "batch_sizes"])
        part = try fields.string("part") {
            $0.wholeMatch(of: /encoder|decoder|text_editor|compositor|editors\/[a-z0-9][a-z0-9_-]{0,63}/) != nil
        }
        file = try fields.path("file")
        // Only shown: a precision that came after this reader must not keep its bundles from running.
        precision = try fields.string("precision") { $0.wholeMatch(of: /[a-z][a-z0-9_]{0,31}/) != nil }
        _ = try fields.integer("bytes", in: 1...Int(Int32.max))
        input = try fields.value("input", Manifest.TensorSpec.init)
        output = try fields.value("output", Manifest.TensorSpec.init)
        computeUnits = fields.has("compute_units") ? try fields.choice("compute_units") : nil
        if fields.has("batch_sizes") { try fields.checkBatchSizes("batch_sizes") }
    }
}

extension Manifest.TensorSpec {
    fileprivate init(_ json: JSON, _ path: [String]) throws(BundleError) {
        let fields = try Fields(json, at: path, names: ["name", "shape", "dtype", "minimum", "maximum"])
        name = try fields.string("name") { ["image", "w_plus", "w_plus_text", "delta_w", "guides", "fields"].contains($0) }
        _ = try fields.string("dtype") { $0 == "float32" }
        shape = try fields.shape("shape")
    }
}

extension Manifest.Prompt {
    private static let fieldNames = [
        "id", "text", "neutral_text", "names", "strength_default", "strength_min", "strength_max", "part", "file",
        "vector",
    ]

    fileprivate init(_ json: JSON, _ path: [String]) throws(BundleError) {
        let fields = try Fields(json, at: path, names: Self.fieldNames)
        id = try fields.string("id") { $0.wholeMatch(of: /[a-z0-9][a-z0-9_-]{0,63}/) != nil }
        text = try fields.string("text")
        _ = try fields.string("neutral_text")
        names = try fields.strings("names")
        strength = StrengthRange(
            standard: try fields.number("strength_default"), minimum: try fields.number("strength_min"),
            maximum: try fields.number("strength_max"))
        part = try fields.string("part")
        file = try fields.path("file")
        vector = try fields.nullable("vector") { fields throws(BundleError) in try fields.path("vector") }
    }
}

extension Manifest.GoldenCase {
    fileprivate init(_ json: JSON, _ path: [String]) throws(BundleError) {
        let fields = try Fields(json, at: path, names: ["part", "input", "output", "shape", "psnr_floor_db"])
        part = try fields.string("part")
        input = try fields.path("input")
        output = try fields.path("output")
        shape = try fields.shape("shape")
        floor = try fields.number("psnr_floor_db")
    }
}

extension Manifest.File {
    fileprivate init(_ json: JSON, _ path: [String]) throws(BundleError) {
        let fields = try Fields(json, at: path, names: ["path", "bytes", "sha256"])
        self.path = try fields.string("path") { !$0.isEmpty }
        bytes = try fields.integer("bytes")
        sha256 = try fields.string("sha256") { $0.wholeMatch(of: /[0-9a-f]{64}/) != nil }
    }
}

extension Fields {
    fileprivate func path(_ name: String) throws(BundleError) -> String {
        try string(name) { (1...240).contains($0.unicodeScalars.count) }
    }

    /// One face, and then larger numbers of faces, rising to at most 64.
    fileprivate func checkBatchSizes(_ name: String) throws(BundleError) {
        let sizes = try shape(name)
        let rising = zip(sizes, sizes.dropFirst()).allSatisfy { $0 < $1 }
        guard sizes.count >= 2, sizes[0] == 1, sizes[sizes.count - 1] <= 64, rising else { throw refusal(name) }
    }

    fileprivate func shape(_ name: String) throws(BundleError) -> [Int] {
        try list(name, atLeast: 1) { json, path throws(BundleError) in
            guard case .number(let number) = json, let side = Int(exactly: number), (1...1 << 24).contains(side) else {
                throw Fields.refusal(path, "is not a length")
            }
            return side
        }
    }
}
