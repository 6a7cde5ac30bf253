#if canImport(CoreML)
    import CoreGraphics
    import EditorCore
    import Foundation
    import ImageIO

    /// Why the system's image is none for the networks.
    public enum ImageError: Error, Equatable, CustomStringConvertible {
        /// The data is not an image that the system can decode.
        case undecodable
        /// The system gave no memory for the pixels.
        case noBitmap
        /// The system could not write the picture in this format.
        case unwritable(String)

        /// The reason for people.
        public var description: String {
            switch self {
            case .undecodable: "the system cannot read this picture"
            case .noBitmap: "there is not enough memory for this picture"
            case .unwritable(let type): "the system cannot write a picture of type \(type)"
            }
        }
    }

    extension ImageError: LocalizedError {
        /// The same as `description`.
        public var errorDescription: String? { description }
    }

    extension RGBImage {
        /// Copies an image's pixels, converted to a colour space; transparency is laid over white.
        ///
        /// - Parameters:
        ///   - image: of any kind.
        ///   - space: of the copy; nil for sRGB.
        public init(_ image: CGImage, in space: CGColorSpace? = nil) throws {
            let (width, height) = (image.width, image.height)
            guard let space = space ?? CGColorSpace(name: CGColorSpace.sRGB),
                let context = CGContext(
                    data: nil, width: width, height: height, bitsPerComponent: 8, bytesPerRow: 4 * width, space: space,
                    bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
            else { throw ImageError.noBitmap }
            let whole = CGRect(x: 0, y: 0, width: width, height: height)
            context.setFillColor(red: 1, green: 1, blue: 1, alpha: 1)
            context.fill(whole)
            context.draw(image, in: whole)
            guard let pixels = context.data else { throw ImageError.noBitmap }
            self.init(fourBytes: UnsafeRawBufferPointer(start: pixels, count: 4 * width * height), width, height)
        }

        /// Drops every fourth byte.
        init(fourBytes source: UnsafeRawBufferPointer, _ width: Int, _ height: Int) {
            let count = width * height
            let bytes = [UInt8](unsafeUninitializedCapacity: 3 * count) { bytes, initialized in
                for pixel in 0..<count {
                    bytes[3 &* pixel] = source[4 &* pixel]
                    bytes[3 &* pixel &+ 1] = source[4 &* pixel &+ 1]
                    bytes[3 &* pixel &+ 2] = source[4 &* pixel &+ 2]
                }
                initialized = 3 * count
            }
            self.init(width: width, height: height, bytes: bytes)
        }

        /// Four bytes a pixel, the last of which means nothing: what the system draws without converting it.
        func fourBytes() -> Data {
            let (count, bytes) = (width * height, bytes)
            var data = Data(count: 4 * count)
            data.withUnsafeMutableBytes { (target: UnsafeMutableRawBufferPointer) in
                bytes.withUnsafeBufferPointer { source in
                    for pixel in 0..<count {
                        target[4 &* pixel] = source[3 &* pixel]
                        target[4 &* pixel &+ 1] = source[3 &* pixel &+ 1]
                        target[4 &* pixel &+ 2] = source[3 &* pixel &+ 2]
                        target[4 &* pixel &+ 3] = 255
                    }
                }
            }
            return data
        }

        /// Decodes a PNG of a bundle. Its bytes are sRGB by contract, whatever the file says of its colours.
        public init(png data: Data) throws {
            guard let source = CGImageSourceCreateWithData(data as CFData, nil),
                let image = CGImageSourceCreateImageAtIndex(source, 0, nil),
                let space = CGColorSpace(name: CGColorSpace.sRGB), let plain = image.copy(colorSpace: space)
            else { throw ImageError.undecodable }
            try self.init(plain)
        }

        /// The same pixels as the system draws them.
        ///
        /// - Parameter space: what the pixels are in; nil for sRGB.
        public func cgImage(in space: CGColorSpace? = nil) throws -> CGImage {
            try CGImage.fourBytes(fourBytes(), width, height, in: space)
        }
    }

    extension Preview {
        /// The picture as the system draws it, made off the caller's actor.
        public func cgImage() async throws -> CGImage { try picture.cgImage() }
    }

    extension CGImage {
        /// An image around four bytes a pixel, which are not copied.
        static func fourBytes(_ data: Data, _ width: Int, _ height: Int, in space: CGColorSpace?) throws -> CGImage {
            guard let space = space ?? CGColorSpace(name: CGColorSpace.sRGB),
                let provider = CGDataProvider(data: data as CFData),
                let image = CGImage(
                    width: width, height: height, bitsPerComponent: 8, bitsPerPixel: 32, bytesPerRow: 4 * width,
                    space: space, bitmapInfo: CGBitmapInfo(rawValue: CGImageAlphaInfo.noneSkipLast.rawValue),
                    provider: provider, decode: nil, shouldInterpolate: true, intent: .defaultIntent)
            else { throw ImageError.noBitmap }
            return image
        }
    }
#endif
