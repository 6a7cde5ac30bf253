package textedit.core

import java.io.File
import java.util.Base64

/** The vectors that Python, Swift and Kotlin must agree on; `tests/contracts/README.md` describes them. */
object Vectors {
    private val folder = File(checkNotNull(System.getProperty("textedit.contracts")) { "set -Dtextedit.contracts=.../tests/contracts" })

    fun file(name: String): File = File(folder, name)

    fun read(name: String): Json = Json.parse(file(name).readBytes())
}

operator fun Json.get(key: String): Json = (this as Json.Object).fields.getValue(key)

val Json.fields: Map<String, Json> get() = (this as Json.Object).fields
val Json.items: List<Json> get() = (this as Json.Array).items
val Json.text: String get() = (this as Json.Text).value
val Json.textOrNull: String? get() = (this as? Json.Text)?.value
val Json.double: Double get() = (this as Json.Number).literal.toDouble()
val Json.int: Int get() = (this as Json.Number).literal.toInt()
val Json.float: Float get() = double.toFloat()
val Json.floats: FloatArray get() = items.map { it.float }.toFloatArray()
val Json.doubles: List<Double> get() = items.map { it.double }
val Json.bytes: ByteArray get() = Base64.getDecoder().decode(text)

/** Interleaved RGB bytes in base64 with their size. */
val Json.image: PixelImage
    get() {
        val rgb = this["rgb"].bytes
        return PixelImage(this["width"].int, this["height"].int, IntArray(rgb.size / 3) { at ->
            (0..2).fold(0xFF) { argb, channel -> argb shl 8 or (rgb[3 * at + channel].toInt() and 0xFF) }
        })
    }

/** Writes files that stand as hashes, and links, below a folder. */
fun Json.writeFiles(folder: File, contents: Json, links: Json? = null): File {
    folder.mkdirs()
    for ((path, hash) in fields) {
        val text = contents[hash.text].text
        val bytes = if (text.startsWith("base64:")) Base64.getDecoder().decode(text.removePrefix("base64:")) else text.toByteArray()
        File(folder, path).apply { parentFile.mkdirs() }.writeBytes(bytes)
    }
    for ((path, target) in links?.fields.orEmpty()) {
        val link = File(folder, path).apply { parentFile.mkdirs() }
        java.nio.file.Files.createSymbolicLink(link.toPath(), java.nio.file.Paths.get(target.text))
    }
    return folder
}

/** All files below a folder by path. */
fun File.readTree(): Map<String, List<Byte>> =
    walk().filter { it.isFile }.associate { it.relativeTo(this).invariantSeparatorsPath to it.readBytes().toList() }
