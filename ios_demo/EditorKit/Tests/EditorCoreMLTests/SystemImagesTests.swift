#if canImport(CoreML)
    import EditorCore
    import EditorCoreML
    import Testing

    @Test func pixelsSurviveTheSystemsImages() throws {
        let image = RGBImage(width: 5, height: 3, bytes: (0..<45).map { UInt8($0 * 5) })
        #expect(try RGBImage(image.cgImage()) == image)
    }
#endif
