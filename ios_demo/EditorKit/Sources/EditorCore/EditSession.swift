/// One photo under edit: encoded once, edited many times. The latest request wins, and one network runs at a time.
///
/// A slider asks faster than a decoder answers. Each request waits for the one that is running; when its turn comes and a newer one
/// has been made meanwhile, it ends with `EditError.overtaken` and costs nothing.
public actor EditSession {
    private let bundle: EditorBundle
    private let engine: any EditorEngine
    private var wPlus: Tensor?
    private var deltas: [String: Tensor] = [:]
    private(set) var latest = Ticket(photo: 0, edit: 0)
    private var running: Task<Void, Never>?

    /// What a piece of work was asked for: an edit is stale after the next edit, and everything is after the next photo.
    struct Ticket: Sendable {
        var photo: Int
        var edit: Int?
    }

    /// - Parameters:
    ///   - bundle: what the networks are.
    ///   - engine: what runs them.
    public init(bundle: EditorBundle, engine: some EditorEngine) {
        self.bundle = bundle
        self.engine = engine
    }

    /// Encodes an aligned face; edits from now on are edits of it.
    ///
    /// - Parameter crop: a square of the side that the bundle's pixels name.
    public func open(_ crop: RGBImage) async throws {
        let input = bundle.manifest.pixels.tensor(crop)
        wPlus = nil
        deltas = [:]
        latest.photo += 1
        try await inTurn(Ticket(photo: latest.photo)) { session, ticket in
            let encoded = try await session.output(of: "encoder", for: input)
            try await session.keep(encoded, for: ticket)
        }
    }

    /// The face with edits applied; without any, as the decoder reconstructs it.
    ///
    /// - Throws: `EditError`, `CancellationError` when the task was cancelled, or what the engine throws.
    public func render(_ edits: [Edit]) async throws -> RGBImage {
        try edits.forEach(check)
        latest.edit = (latest.edit ?? 0) + 1
        return try await inTurn(latest) { session, ticket in
            let target = try await session.latents(after: edits, for: ticket)
            let image = try await session.output(of: "decoder", for: target)
            try await session.require(ticket)
            return session.bundle.manifest.pixels.image(image)
        }
    }

    private func check(_ edit: Edit) throws {
        guard let prompt = bundle.manifest.prompt(edit.prompt) else { throw EditError.unknownPrompt(edit.prompt) }
        guard prompt.strength.contains(edit.strength) else { throw EditError.strengthOutOfRange(edit) }
    }

    /// Waits until the work before has ended, then does this one unless it has been overtaken or cancelled.
    private func inTurn<Result: Sendable>(
        _ ticket: Ticket, _ work: @escaping @Sendable (EditSession, Ticket) async throws -> Result
    ) async throws -> Result {
        let before = running
        let task = Task {
            await before?.value
            try self.require(ticket)
            return try await work(self, ticket)
        }
        running = Task { _ = await task.result }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    private func require(_ ticket: Ticket) throws {
        try Task.checkCancellation()
        let isLatest = ticket.photo == latest.photo && (ticket.edit == nil || ticket.edit == latest.edit)
        guard isLatest else { throw EditError.overtaken }
    }

    private func keep(_ encoded: Tensor, for ticket: Ticket) throws {
        try require(ticket)
        wPlus = encoded
    }

    private func latents(after edits: [Edit], for ticket: Ticket) async throws -> Tensor {
        guard let source = wPlus else { throw EditError.noPhoto }
        var target = source
        for edit in edits {
            target = target.moved(along: try await delta(of: edit.prompt, from: source), by: edit.strength)
            try require(ticket)
        }
        return target
    }

    private func delta(of id: String, from source: Tensor) async throws -> Tensor {
        if let known = deltas[id] { return known }
        guard let prompt = bundle.manifest.prompt(id) else { throw EditError.unknownPrompt(id) }
        let input = bundle.texts[id].map(source.withText) ?? source
        let delta = try await output(of: prompt.part, for: input)
        if wPlus == source { deltas[id] = delta }
        return delta
    }

    private func output(of part: String, for input: Tensor) async throws -> Tensor {
        let output = try await engine.run(part, on: input)
        // Half precision overflows to infinity, which would come out as a black picture.
        guard output.isFinite else { throw EditError.notFinite(part) }
        return output
    }
}
