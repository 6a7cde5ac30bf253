import Foundation
import Testing

@testable import EditorCore

@Suite("Encode once, edit many, the latest wins", .timeLimit(.minutes(5)))
struct EditSessionTests {
    private let face = RGBImage(width: 8, height: 8, bytes: (0..<192).map { UInt8($0) })

    @Test func aPhotoIsEncodedOnceAndAPromptRunOnce() async throws {
        try await withBundle { bundle in
            let engine = FakeEngine(bundle.manifest)
            let session = EditSession(bundle: bundle, engine: engine)
            try await session.open(face)
            for strength in [0.2, 0.4, 1.0] {
                _ = try await session.render([Edit(prompt: "smile", strength: strength)])
            }
            #expect(await engine.calls == ["encoder", "editors/smile", "decoder", "decoder", "decoder"])
        }
    }

    @Test func aVectorPromptRunsTheSharedEditor() async throws {
        try await withBundle { bundle in
            let engine = FakeEngine(bundle.manifest)
            let session = EditSession(bundle: bundle, engine: engine)
            try await session.open(face)
            _ = try await session.render([Edit(prompt: "sketch", strength: 1), Edit(prompt: "smile", strength: 0.5)])
            #expect(await engine.calls == ["encoder", "text_editor", "editors/smile", "decoder"])
        }
    }

    @Test func strengthMovesThePicture() async throws {
        try await withBundle { bundle in
            let session = EditSession(bundle: bundle, engine: FakeEngine(bundle.manifest))
            try await session.open(face)
            let plain = try await session.render([])
            #expect(try await session.render([Edit(prompt: "smile", strength: 0)]) == plain)
            #expect(try await session.render([Edit(prompt: "smile", strength: 1)]) != plain)
        }
    }

    @Test func onlyTheLatestOfManyIsDecoded() async throws {
        try await withBundle { bundle in
            let engine = FakeEngine(bundle.manifest)
            let session = EditSession(bundle: bundle, engine: engine)
            try await session.open(face)
            await engine.hold("decoder")
            let first = Task { try await session.render([]) }
            await engine.called("decoder", times: 1)
            let second = Task { try await session.render([Edit(prompt: "smile", strength: 0.3)]) }
            await asked(session, photos: 1, edits: 2)
            let third = Task { try await session.render([Edit(prompt: "smile", strength: 0.6)]) }
            await asked(session, photos: 1, edits: 3)
            await engine.release("decoder")
            await #expect(throws: EditError.overtaken) { try await first.value }
            await #expect(throws: EditError.overtaken) { try await second.value }
            _ = try await third.value
            #expect(await engine.calls.filter { $0 == "decoder" }.count == 2)
        }
    }

    @Test func anEditThatIsAskedForWhileThePhotoIsEncodedWaits() async throws {
        try await withBundle { bundle in
            let engine = FakeEngine(bundle.manifest)
            let session = EditSession(bundle: bundle, engine: engine)
            await engine.hold("encoder")
            let opening = Task { try await session.open(face) }
            await engine.called("encoder", times: 1)
            let edit = Task { try await session.render([]) }
            await asked(session, photos: 1, edits: 1)
            await engine.release("encoder")
            try await opening.value
            _ = try await edit.value
        }
    }

    @Test func anotherPhotoOvertakesEverything() async throws {
        try await withBundle { bundle in
            let engine = FakeEngine(bundle.manifest)
            let session = EditSession(bundle: bundle, engine: engine)
            try await session.open(face)
            await engine.hold("decoder")
            let edit = Task { try await session.render([]) }
            await engine.called("decoder", times: 1)
            let opening = Task { try await session.open(face) }
            await asked(session, photos: 2, edits: 1)
            await engine.release("decoder")
            await #expect(throws: EditError.overtaken) { try await edit.value }
            try await opening.value
        }
    }

    @Test func aCancelledEditEndsWithoutDecoding() async throws {
        try await withBundle { bundle in
            let engine = FakeEngine(bundle.manifest)
            let session = EditSession(bundle: bundle, engine: engine)
            try await session.open(face)
            await engine.hold("editors/smile")
            let edit = Task { try await session.render([Edit(prompt: "smile", strength: 1)]) }
            await engine.called("editors/smile", times: 1)
            edit.cancel()
            await engine.release("editors/smile")
            await #expect(throws: CancellationError.self) { try await edit.value }
            #expect(await !engine.calls.contains("decoder"))
        }
    }

    @Test func refusals() async throws {
        try await withBundle { bundle in
            let session = EditSession(bundle: bundle, engine: FakeEngine(bundle.manifest))
            await #expect(throws: EditError.noPhoto) { try await session.render([]) }
            await #expect(throws: EditError.unknownPrompt("smlie")) {
                try await session.render([Edit(prompt: "smlie", strength: 1)])
            }
            let tooMuch = Edit(prompt: "smile", strength: 1.6)
            await #expect(throws: EditError.strengthOutOfRange(tooMuch)) { try await session.render([tooMuch]) }
        }
    }

    /// Returns when the session has been asked for so many photos and edits.
    private func asked(_ session: EditSession, photos: Int, edits: Int) async {
        while await (session.latest.photo, session.latest.edit) != (photos, edits) { await Task.yield() }
    }
}
