import EditorCore
import Foundation

/// Times the pictures' path of EditorCore on this machine and prints one JSON document. Times of a desktop processor compare forms with
/// each other and are no phone times.
@main
struct EditorTimings {
    /// What is printed.
    private struct Document: Encodable {
        let core = "swift"
        let threads: Int?
        let photo = [PasteTimings.picture.width, PasteTimings.picture.height]
        let measurements: [Measurement]
        let drags: [DragSimulation.Outcome]
        let save: SaveMemory.Outcome
    }

    static func main() async {
        do {
            let options = try options(CommandLine.arguments.dropFirst())
            // First, so that nothing else has raised the process's peak.
            let save = try await SaveMemory(megapixels: options["--save"] ?? 48).run()
            let timings = try PasteTimings(rounds: options["--rounds"] ?? 10, threads: options["--threads"]).run()
            let drawings = DrawTimings(rounds: options["--rounds"] ?? 10, threads: options["--threads"]).run()
            var drags: [DragSimulation.Outcome] = []
            for side in PasteTimings.sides { drags.append(try await DragSimulation(side: side).run()) }
            let document = Document(threads: options["--threads"], measurements: timings + drawings, drags: drags, save: save)
            print(String(decoding: try json(document), as: UTF8.self))
        } catch {
            FileHandle.standardError.write(Data("error: \(error)\n".utf8))
            exit(1)
        }
    }

    private static func json(_ document: Document) throws -> Data {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        return try encoder.encode(document)
    }

    private static func options(_ arguments: ArraySlice<String>) throws -> [String: Int] {
        var (options, rest) = ([String: Int](), Array(arguments))
        while !rest.isEmpty {
            let name = rest.removeFirst()
            guard ["--rounds", "--threads", "--save"].contains(name) else {
                throw TimingError.usage("unknown option '\(name)'")
            }
            guard let number = rest.first.flatMap({ Int($0) }), number >= 1 else {
                throw TimingError.usage("\(name) needs a number of 1 or more")
            }
            options[name] = number
            rest.removeFirst()
        }
        return options
    }
}
