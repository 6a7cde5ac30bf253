/// The fields of one JSON object while it becomes a typed value: each is there, of its kind and within its bounds, and there is no other.
struct Fields {
    private let values: [String: JSON]
    private let path: [String]

    /// - Parameters:
    ///   - names: all fields that the object must have.
    ///   - optional: fields that it may have.
    init(
        _ json: JSON, at path: [String], names: [String], optional: [String] = []
    ) throws(BundleError) {
        self.path = path
        guard case .object(let values) = json else { throw Self.refusal(path, "is not an object") }
        self.values = values
        if let missing = names.first(where: { values[$0] == nil }) {
            throw Self.refusal(path, "'\(missing)' is missing")
        }
        if let unknown = values.keys.sorted().first(where: { !names.contains($0) && !optional.contains($0) }) {
            throw Self.refusal(path, "'\(unknown)' is unknown")
        }
    }

    /// An object of which only some fields matter.
    init(open json: JSON, at path: [String], names: [String]) throws(BundleError) {
        guard case .object(let values) = json else { throw Self.refusal(path, "is not an object") }
        try self.init(.object(values.filter { names.contains($0.key) }), at: path, names: names)
    }

    func string(_ name: String, where isValid: (String) -> Bool = { _ in true }) throws(BundleError) -> String {
        guard case .string(let value)? = values[name], isValid(value) else { throw refusal(name) }
        return value
    }

    func choice<Value: RawRepresentable<String>>(_ name: String) throws(BundleError) -> Value {
        guard let value = Value(rawValue: try string(name)) else { throw refusal(name) }
        return value
    }

    func nullable<Value>(
        _ name: String, _ read: (Fields) throws(BundleError) -> Value
    ) throws(BundleError) -> Value? {
        guard let value = values[name], value != .null else { return nil }
        return try read(self)
    }

    func number(_ name: String) throws(BundleError) -> Double {
        guard case .number(let value)? = values[name], value.isFinite else { throw refusal(name) }
        return value
    }

    func integer(_ name: String, in range: ClosedRange<Int> = 0...Int(Int32.max) * 4) throws(BundleError) -> Int {
        guard let value = Int(exactly: try number(name)), range.contains(value) else { throw refusal(name) }
        return value
    }

    func strings(_ name: String) throws(BundleError) -> [String: String] {
        guard case .object(let entries)? = values[name] else { throw refusal(name) }
        var read: [String: String] = [:]
        for (key, value) in entries {
            guard case .string(let text) = value else { throw refusal("\(name)/\(key)") }
            read[key] = text
        }
        return read
    }

    func list<Element>(
        _ name: String, atLeast count: Int = 0, _ read: (JSON, [String]) throws(BundleError) -> Element
    ) throws(BundleError) -> [Element] {
        guard case .array(let entries)? = values[name], entries.count >= count else { throw refusal(name) }
        var elements: [Element] = []
        for (index, entry) in entries.enumerated() {
            elements.append(try read(entry, path + [name, String(index)]))
        }
        return elements
    }

    func value<Value>(
        _ name: String, _ read: (JSON, [String]) throws(BundleError) -> Value
    ) throws(BundleError) -> Value {
        try read(values[name] ?? .null, path + [name])
    }

    /// Whether a field is there at all.
    func has(_ name: String) -> Bool { values[name] != nil }

    static func refusal(_ path: [String], _ reason: String) -> BundleError {
        let place = path.isEmpty ? "top level" : path.joined(separator: "/")
        return BundleError(.manifest, "bundle.json breaks the bundle schema at \(place): \(reason)")
    }

    func refusal(_ name: String) -> BundleError {
        Self.refusal(path + [name], "not what the schema asks for")
    }
}
