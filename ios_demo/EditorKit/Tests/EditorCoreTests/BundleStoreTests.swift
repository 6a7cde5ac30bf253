import Foundation
import Testing

@testable import EditorCore

@Suite("Updates are taken and refused as in Python, and can be undone")
struct BundleStoreTests {
    struct Updates: Decodable {
        struct Case: Decodable {
            let name: String
            let installed: [String: String]
            let update: [String: String]
            let publicKey: String?
            let refused: String?
            let result: [String: String]?
        }
        let contents: Contents
        let cases: [Case]
    }

    @Test func updates() async throws {
        let vectors: Updates = try Contracts.load("updates.json")
        for example in vectors.cases {
            try await withStore(vectors, example) { store, update in
                do {
                    try await store.install(update)
                    #expect(example.refused == nil, "\(example.name) was taken")
                } catch let error as BundleError {
                    let expected = example.refused.map { error.description.contains($0) } ?? false
                    #expect(expected, "\(example.name): \(error)")
                }
                let root = try await store.current().root
                let wanted = example.result ?? example.installed
                #expect(Set(try EditorBundle.sizes(below: root).keys) == Set(wanted.keys), "\(example.name)")
                for (path, hash) in wanted {
                    #expect(try Data(contentsOf: root.appending(path: path)) == vectors.contents.data(hash), "\(path)")
                }
            }
        }
    }

    @Test func aRefusalByTheAppLeavesTheOldBundle() async throws {
        struct SelfTestFailed: Error {}
        try await withPromptMore { store, update in
            let before = try await store.current().manifest
            await #expect(throws: SelfTestFailed.self) {
                try await store.install(update) { _ in throw SelfTestFailed() }
            }
            #expect(try await store.current().manifest == before)
            #expect(await !store.canRollBack())
        }
    }

    @Test func anUpdateCanBeUndoneAndDoneAgain() async throws {
        try await withPromptMore { store, update in
            let before = try await store.current().manifest
            let after = try await store.install(update).manifest
            #expect(after.prompts.count == before.prompts.count + 1)
            #expect(await store.canRollBack())
            #expect(try await store.rollback().manifest == before)
            #expect(try await store.current().manifest == before)
            #expect(try await store.install(update).manifest == after)
        }
    }

    @Test func aDamagedUpdateIsNotUsed() async throws {
        try await withPromptMore { store, update in
            let root = try await store.install(update).root
            try Data("x".utf8).write(to: root.appending(path: "report.html"))
            await #expect(throws: BundleError.self) { try await store.current() }
            _ = try await store.rollback()
            _ = try await store.current()
        }
    }

    @Test func aNewVersionOfTheAppBringsItsOwnBundle() async throws {
        let vectors: Updates = try Contracts.load("updates.json")
        let example = try #require(vectors.cases.first { $0.name == "a prompt more, whole bundle" })
        try await withFolder { folder in
            let old = try vectors.contents.write(example.installed, to: folder.appending(path: "old"))
            let new = try vectors.contents.write(example.update, to: folder.appending(path: "new"))
            let updates = folder.appending(path: "store")
            _ = try await BundleStore(embedded: old, folder: updates).install(new)
            let newer = BundleStore(embedded: new, folder: updates)
            #expect(try await newer.current().root == new)
            #expect(await !newer.canRollBack())
        }
    }

    private func withPromptMore(_ body: (BundleStore, URL) async throws -> Void) async throws {
        let vectors: Updates = try Contracts.load("updates.json")
        let example = try #require(vectors.cases.first { $0.name == "a prompt more, changed files alone" })
        try await withStore(vectors, example, body)
    }

    private func withStore(
        _ vectors: Updates, _ example: Updates.Case, _ body: (BundleStore, URL) async throws -> Void
    ) async throws {
        try await withFolder { folder in
            let embedded = try vectors.contents.write(
                example.installed, to: folder.appending(path: "app/model.textedit"))
            let update = try vectors.contents.write(example.update, to: folder.appending(path: "update"))
            let store = BundleStore(
                embedded: embedded, folder: folder.appending(path: "store"), signer: example.publicKey)
            try await body(store, update)
        }
    }
}
