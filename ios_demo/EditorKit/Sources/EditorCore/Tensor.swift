import Foundation

/// Float32 numbers in C order: what networks take and give.
public struct Tensor: Equatable, Sendable {
    /// The lengths of the axes, outermost first.
    public let shape: [Int]
    /// The numbers, the last axis next to each other.
    public var values: [Float]

    /// - Precondition: there are exactly as many values as the shape takes.
    public init(shape: [Int], values: [Float]) {
        precondition(values.count == shape.reduce(1, *), "\(values.count) values do not fill the shape \(shape)")
        self.shape = shape
        self.values = values
    }

    /// Reads raw little-endian float32, as a bundle stores them.
    ///
    /// - Throws: there are more or fewer bytes than the shape takes.
    init(littleEndian data: Data, shape: [Int], source: String) throws(BundleError) {
        let wanted = 4 * shape.reduce(1, *)
        guard data.count == wanted else {
            throw BundleError(.content, "\(source) has \(data.count) bytes; shape \(shape) takes \(wanted)")
        }
        let values = data.withUnsafeBytes { buffer in
            (0..<wanted / 4).map { index in
                Float(
                    bitPattern: UInt32(littleEndian: buffer.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)))
            }
        }
        self.init(shape: shape, values: values)
    }

    /// Whether no value is infinite or not a number.
    public var isFinite: Bool { values.allSatisfy(\.isFinite) }
}
