/// One photo under edit. Changes are asked for by `edit`, which returns at once; `previews` shows them in order, the last one always;
/// `save` writes the last one in full size.
public final class EditablePhoto: Sendable {
    /// What is to be shown.
    struct Request: Sendable {
        let edits: [Edit]
        let face: ChosenFace?

        /// What the networks make of the face; nil for the photo itself.
        func edited() async throws -> ChosenFace.Edited? {
            edits.contains { $0.strength != 0 } ? try await face?.edited(edits) : nil
        }
    }

    private struct State: Sendable {
        var face: ChosenFace?
        var choice = 0
        var history = EditHistory()
    }

    /// The photo.
    public let source: any PhotoSource
    /// The faces that were found, the largest first.
    public let faces: [Face]
    /// The photo as it was, in the size of the previews.
    public let original: RGBImage
    let requests = Latest<Request>()
    private let networks: any FaceNetworks
    private let options: FaceEditor.Options
    private let state = Locked(State())

    init(
        source: any PhotoSource, preview: RGBImage, faces: [Face], networks: any FaceNetworks,
        options: FaceEditor.Options
    ) {
        self.source = source
        original = preview
        self.faces = faces
        self.networks = networks
        self.options = options
    }

    /// The face that is edited; nil before one was chosen.
    public var chosen: Face? { state.with { $0.face?.face } }
    /// What was done to that face.
    public var history: EditHistory { state.with { $0.history } }

    /// Chooses the face to edit; its edits begin afresh.
    ///
    /// - Throws: `AlignmentError` for a square that does not touch the photo, `EditError.overtaken` when another face was chosen
    ///   meanwhile, or what the engine throws.
    public func choose(_ face: Face) async throws {
        let number = state.with { state in
            state.choice += 1
            return state.choice
        }
        let own = try source.crop(face.crop, size: networks.pixels.size)
        let crop = try source.sRGB(own)
        // Requests for the face before may still be at work: each face has a session of its own.
        let session = EditSession(networks: networks)
        try await session.open(crop)
        let chosen = ChosenFace(
            face, session, .init(own: own, sRGB: crop, unedited: try await session.face([])), on: original, of: source,
            networks: networks, keepsDetail: options.keepsDetail)
        try state.with { state in
            guard state.choice == number else { throw EditError.overtaken }
            state.face = chosen
            state.history = EditHistory()
        }
        show()
    }

    /// Asks for edits of the chosen face, which add up; an empty list, or strength 0 everywhere, is the photo itself.
    ///
    /// - Parameters:
    ///   - edits: all that apply from now on.
    ///   - moving: the user has not let go of the slider; all moves until then are one step of the history.
    /// - Returns: `previews`.
    /// - Throws: `EditError.noFace`, or an edit that the bundle does not have.
    @discardableResult
    public func edit(_ edits: [Edit], moving: Bool = false) throws(EditError) -> Previews {
        try networks.check(edits)
        guard chosen != nil else { throw .noFace }
        state.with { $0.history.record(edits, moving: moving) }
        show()
        return previews
    }

    /// Goes one step back; false without one.
    @discardableResult
    public func undo() -> Bool { step { $0.undo() } }

    /// Does the step again that was undone last; false without one.
    @discardableResult
    public func redo() -> Bool { step { $0.redo() } }

    /// Back to the photo; can be undone.
    public func reset() {
        state.with { $0.history.reset() }
        show()
    }

    /// The pictures as they are finished, from the newest request on. Every loop over it sees each picture once and in order; while one
    /// is being made, newer requests take the place of older ones. Nothing is computed while nobody asks.
    public var previews: Previews { Previews(photo: self) }

    /// Ends all loops over `previews` and every save; the photo cannot be edited afterwards.
    public func cancel() { requests.close() }

    private func step(_ change: (inout EditHistory) -> Bool) -> Bool {
        let changed = state.with { change(&$0.history) }
        if changed { show() }
        return changed
    }

    // The request is made while the state is locked, so that the newest request is that of the newest state.
    private func show() {
        state.with { requests.offer(Request(edits: $0.history.current, face: $0.face)) }
    }

    /// The edits in force and the face that they apply to.
    var inForce: Request {
        state.with { Request(edits: $0.history.current, face: $0.face) }
    }
}
