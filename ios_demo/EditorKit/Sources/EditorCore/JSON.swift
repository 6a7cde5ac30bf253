import Foundation

/// A JSON value as it was read: what a manifest is before any of its fields is trusted.
enum JSON: Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([String: JSON])

    /// Reads UTF-8 JSON in which no object repeats a key.
    static func parse(_ data: Data, source: String) throws(BundleError) -> JSON {
        do {
            let value = try JSONDecoder().decode(JSON.self, from: data)
            var keys = RepeatedKeys(data)
            guard try !keys.found() else {
                throw BundleError(.manifest, "\(source) is not valid JSON: an object repeats a key")
            }
            return value
        } catch let error as BundleError {
            throw error
        } catch {
            throw BundleError(.manifest, "\(source) is not valid JSON")
        }
    }
}

extension JSON: Decodable {
    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSON].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSON].self))
        }
    }
}

/// Looks for what Foundation's parser hides: two readers may take different ones of two equal keys.
private struct RepeatedKeys {
    private let bytes: [UInt8]
    private var position = 0

    /// - Parameter data: JSON that has been parsed before, so that its syntax is right.
    init(_ data: Data) { bytes = [UInt8](data) }

    mutating func found() throws -> Bool {
        var open: [Set<String>] = []
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "{"): open.append([])
            case UInt8(ascii: "}"): open.removeLast()
            case UInt8(ascii: "\""):
                let text = try string()
                if isKey(), !open[open.count - 1].insert(text).inserted { return true }
                continue
            default: break
            }
            position += 1
        }
        return false
    }

    /// The string that begins here; the position moves behind it.
    private mutating func string() throws -> String {
        let start = position
        position += 1
        while bytes[position] != UInt8(ascii: "\"") {
            position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
        }
        position += 1
        return try JSONDecoder().decode(String.self, from: Data(bytes[start..<position]))
    }

    private func isKey() -> Bool {
        let next = bytes[position...].first { !" \t\r\n".utf8.contains($0) }
        return next == UInt8(ascii: ":")
    }
}
