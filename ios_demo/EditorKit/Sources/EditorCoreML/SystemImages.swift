#if canImport(CoreML)
    import CoreGraphics
    import EditorCore
    import Foundation
    import ImageIO

    /// Why the system's image is none for the networks.
    public enum ImageError: Error {
        /// The data is not an image that the system can decode.
        case undecodable
        /// The system gave no memory for the pixels.
        case noBitmap
    }

    extension RGBImage {
        /// Copies an image's pixels, converted to sRGB; transparency is laid over white.
        public init(_ image: CGImage) throws {
            let (width, height) = (image.width, image.height)
            guard let space = CGColorSpace(name: CGColorSpace.sRGB),
                let context = CGContext(
                    data: nil, width: width, height: height, bitsPerComponent: 8, bytesPerRow: 4 * width, space: space,
                    bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
            else { throw ImageError.noBitmap }
            let whole = CGRect(x: 0, y: 0, width: width, height: height)
            context.setFillColor(red: 1, green: 1, blue: 1, alpha: 1)
            context.fill(whole)
            context.draw(image, in: whole)
            guard let pixels = context.data else { throw ImageError.noBitmap }
            let source = UnsafeRawBufferPointer(start: pixels, count: 4 * width * height)
            let bytes = [UInt8](unsafeUninitializedCapacity: 3 * width * height) { bytes, initialized in
                for pixel in 0..<width * height {
                    for channel in 0..<3 { bytes[3 * pixel + channel] = source[4 * pixel + channel] }
                }
                initialized = 3 * width * height
            }
            self.init(width: width, height: height, bytes: bytes)
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
        public func cgImage() throws -> CGImage {
            guard let space = CGColorSpace(name: CGColorSpace.sRGB),
                let provider = CGDataProvider(data: Data(bytes) as CFData),
                let image = CGImage(
                    width: width, height: height, bitsPerComponent: 8, bitsPerPixel: 24, bytesPerRow: 3 * width,
                    space: space, bitmapInfo: CGBitmapInfo(rawValue: CGImageAlphaInfo.none.rawValue),
                    provider: provider, decode: nil, shouldInterpolate: true, intent: .defaultIntent)
            else { throw ImageError.noBitmap }
            return image
        }
    }
#endif
