/// A finished picture of a photo under edit.
public struct Preview: Equatable, Sendable {
    /// What was edited.
    public let edits: [Edit]
    /// The whole photo in the size of a preview, sRGB.
    public let picture: RGBImage
}

/// The previews of one photo in the order of the requests. It ends when the photo or the task is cancelled, and throws what the engine
/// throws; a new loop goes on from there.
public struct Previews: AsyncSequence, Sendable {
    let photo: EditablePhoto

    /// Begins with the newest request.
    public func makeAsyncIterator() -> Iterator { Iterator(photo: photo) }

    /// One loop.
    public struct Iterator: AsyncIteratorProtocol {
        let photo: EditablePhoto
        private var seen = 0

        init(photo: EditablePhoto) { self.photo = photo }

        /// Waits for a request that was not shown yet, and makes its picture.
        public mutating func next() async throws -> Preview? {
            guard let request = await photo.requests.next(after: seen) else { return nil }
            seen = request.number
            return try await photo.preview(request.value)
        }
    }
}

extension EditablePhoto {
    /// The picture of a request.
    func preview(_ request: Request) async throws -> Preview {
        guard let face = request.face, let edit = try await request.edited() else {
            return Preview(edits: request.edits, picture: original)
        }
        return Preview(edits: request.edits, picture: face.showing(edit, in: original))
    }

    /// Writes the photo with the last edit in full size, some rows at a time: pixels outside the face are those that `source` gave.
    ///
    /// - Throws: `CancellationError` after `cancel`, or what source, sink or engine throw.
    public func save(to sink: inout some PhotoSink) async throws {
        let request = inForce
        var edit = try await fullSize(request)
        for band in PhotoBands.covering(0..<source.height) {
            try Task.checkCancellation()
            if requests.isClosed { throw CancellationError() }
            try sink.write(try edit.rows(band))
        }
    }

    private func fullSize(_ request: Request) async throws -> FullSizeEdit {
        guard let face = request.face, let edit = try await request.edited() else { return FullSizeEdit(source, .keep) }
        return try face.fullSize(edit, of: source)
    }
}
