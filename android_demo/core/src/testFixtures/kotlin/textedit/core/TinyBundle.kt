package textedit.core

import java.io.File
import java.security.MessageDigest

/** The contract's smallest bundle with an own editor (`smile`) and a vector (`sketch`), made out for ExecuTorch; w_plus is [1,2,4]. */
object TinyBundle {
    fun openIn(folder: File): Bundle {
        val vectors = Vectors.read("bundles.json")
        val case = vectors["cases"].items.first { it["name"].text == "an own editor and a prompt as vector" }
        val root = case["files"].writeFiles(folder, vectors["contents"])
        val manifest = File(root, Manifest.FILE)
        val text = manifest.readText().replace("\"target\": \"ios\"", "\"target\": \"android\"").replace("Core ML", "ExecuTorch")
        manifest.writeText(sealed(text))
        return BundleReader.open(root)
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
        return FloatArray(part.output.count) { answer(part.name, input) }
    }

    /** The encoder finds the mean of the pixels, an own editor asks for 0.5, the text editor for its text's sum, the decoder paints. */
    private fun answer(part: String, input: FloatArray): Float = when (part) {
        Manifest.ENCODER -> input.average().toFloat()
        Manifest.TEXT_EDITOR -> input.drop(8).sum()
        Manifest.DECODER -> input.first()
        else -> 0.5f
    }

    override fun release(kept: Set<String>) {
        loaded.retainAll(kept)
    }

    override fun close() = release(emptySet())
}
