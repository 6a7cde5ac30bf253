package textedit.core

import java.io.File
import java.security.MessageDigest

/**
 * The contract's smallest bundle with an own editor (`smile`) and a vector (`sketch`), made out for ExecuTorch; w_plus is [1,2,4]. A
 * compositor, where it is asked for, looks at 4 pixels a side.
 */
object TinyBundle {
    fun openIn(folder: File, compositor: Boolean = false): Bundle {
        val vectors = Vectors.read("bundles.json")
        val case = vectors["cases"].items.first { it["name"].text == "an own editor and a prompt as vector" }
        val root = case["files"].writeFiles(folder, vectors["contents"])
        val manifest = File(root, Manifest.FILE)
        val text = manifest.readText().replace("\"target\": \"ios\"", "\"target\": \"android\"").replace("Core ML", "ExecuTorch")
        manifest.writeText(sealed(if (compositor) withCompositor(text) else text))
        return BundleReader.open(root)
    }

    /** The file of the decoder stands for the compositor's: no test reads it. */
    private fun withCompositor(text: String): String {
        fun tensor(name: String, planes: Int) =
            """{"dtype": "float32", "maximum": null, "minimum": null, "name": "$name", "shape": [1, $planes, 4, 4]}"""
        val part = """{"bytes": 10, "file": "models/decoder.mlpackage", "input": ${tensor("guides", 9)}, "kept_float": [],
            "operations": {}, "output": ${tensor("fields", 8)}, "parity": null, "part": "compositor", "precision": "fp16",
            "undelegated": null},"""
        return text.replace("\"schema_version\": 1", "\"schema_version\": 2").replace("\"parts\": [", "\"parts\": [$part")
    }

    /** The manifest with a digest that fits again after an edit. */
    fun sealed(text: String): String {
        val blank = text.replace(Regex("\"manifest_sha256\": \"[0-9a-f]{64}\""), "\"manifest_sha256\": \"\"")
        val digest = MessageDigest.getInstance("SHA-256").digest(blank.toByteArray()).joinToString("") { "%02x".format(it) }
        return blank.replace("\"manifest_sha256\": \"\"", "\"manifest_sha256\": \"$digest\"")
    }
}

/** Networks that anyone can compute: their answers repeat a constant or the sum of what they are fed with. */
class ArithmeticRunner(private val beforeRun: (Part) -> Unit = {}) : NetworkRunner {
    val ran = mutableListOf<String>()
    val loaded = mutableSetOf<String>()

    override fun load(part: Part) {
        loaded += part.name
    }

    override fun run(part: Part, input: FloatArray): FloatArray {
        require(input.size == part.input.count) { "${part.name} takes ${part.input.count} numbers, got ${input.size}" }
        beforeRun(part)
        load(part)
        ran += part.name
        return if (part.name == Manifest.COMPOSITOR) painted(input) else FloatArray(part.output.count) { answer(part.name, input) }
    }

    /** The encoder finds the mean of the pixels, an own editor asks for 0.5, the text editor for its text's sum, the decoder paints. */
    private fun answer(part: String, input: FloatArray): Float = when (part) {
        Manifest.ENCODER -> input.average().toFloat()
        Manifest.TEXT_EDITOR -> input.drop(8).sum()
        Manifest.DECODER -> input.first()
        else -> 0.5f
    }

    /** The four inner cells are covered by the decode, without detail, where the decodes before and after the edit differ. */
    private fun painted(guides: FloatArray): FloatArray {
        val differs = guides[6 * CELLS] != guides[3 * CELLS]
        return FloatArray(8 * CELLS) { at ->
            val inner = at % 4 in 1..2 && at % CELLS / 4 in 1..2
            if (differs && inner && at / CELLS in COVERED) 1f else 0f
        }
    }

    override fun release(kept: Set<String>) {
        loaded.retainAll(kept)
    }

    override fun close() = release(emptySet())

    private companion object {
        const val CELLS = 16

        /** The planes of mask and share. */
        val COVERED = setOf(2, 4)
    }
}
