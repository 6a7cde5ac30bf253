package textedit.core

import java.io.File
import java.io.IOException
import java.io.InputStream
import java.nio.file.FileVisitResult
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.SimpleFileVisitor
import java.nio.file.attribute.BasicFileAttributes
import java.security.MessageDigest

/** Opens bundle directories: everything that can be checked without running a network is checked, in the order of the contract. */
object BundleReader {
    // Far above any bundle of phone networks, far below what exhausts a phone that receives one.
    const val MAX_FILES = 4096
    const val MAX_TOTAL_BYTES = 1L shl 30

    /**
     * Checks and opens a bundle directory.
     *
     * @param publicKey base64 DER public key that must have signed the bundle; null accepts any signer or none.
     * @throws BundleException naming the file that is missing, unlisted, damaged, too large, linked or unsafely named.
     */
    fun open(root: File, publicKey: String? = null): Bundle = try {
        checked(root, publicKey)
    } catch (error: IOException) {
        throw BundleException("cannot read $root: ${error.message}", error)
    }

    private fun checked(root: File, publicKey: String?): Bundle {
        val present = walk(root.toPath())
        val size = present[Manifest.FILE] ?: throw BundleException("$root is not a bundle: ${Manifest.FILE} is missing")
        if (size > Manifest.MAX_BYTES) throw tooLong(size)
        val raw = File(root, Manifest.FILE).readBytes()
        val signature = File(root, Manifest.SIGNATURE_FILE).takeIf { Manifest.SIGNATURE_FILE in present }?.readBytes()
        val manifest = manifest(raw, signature, publicKey)
        checkListing(manifest, present)
        manifest.files.forEach { checkHash(it, sha256(File(root, it.path).inputStream())) }
        return Bundle(root, manifest).also { bundle ->
            manifest.prompts.forEach(bundle::vector)
            bundle.guideSide()
        }
    }

    /**
     * Checks a manifest by itself: contents, signature, sums and references.
     *
     * @param signature the bytes of bundle.json.sig, null where there is none.
     * @throws BundleException as [open].
     */
    internal fun manifest(raw: ByteArray, signature: ByteArray?, publicKey: String?): Manifest {
        val manifest = ManifestReader.parse(raw)
        checkSigner(manifest, raw, signature, publicKey)
        checkBudget(manifest.files.size, manifest.files.map(FileEntry::bytes), Manifest.FILE)
        checkReferences(manifest)
        return manifest
    }

    private fun checkSigner(manifest: Manifest, raw: ByteArray, signature: ByteArray?, publicKey: String?) {
        val signer = manifest.publicKey
        if (signer == null) {
            if (signature != null) throw BundleException("${Manifest.SIGNATURE_FILE} is there but ${Manifest.FILE} names no signer")
            if (publicKey != null) throw BundleException("${Manifest.FILE} is not signed; sign it by exporting with --sign KEY.pem")
            return
        }
        if (signature == null) throw BundleException("${Manifest.SIGNATURE_FILE} is missing; ${Manifest.FILE} says that it was signed")
        if (publicKey != null && publicKey != signer) throw BundleException("${Manifest.FILE} was signed by another key than the app knows")
        checkSignature(signer, raw, signature)
    }

    private fun checkListing(manifest: Manifest, present: Map<String, Long>) {
        for ((path, bytes) in manifest.files) {
            val size = present[path] ?: throw BundleException("$path is missing from the bundle")
            if (size != bytes) throw BundleException("$path has $size bytes; ${Manifest.FILE} lists $bytes")
        }
        val known = manifest.files.mapTo(mutableSetOf(Manifest.FILE, Manifest.SIGNATURE_FILE)) { it.path }
        present.keys.find { it !in known }?.let { throw BundleException("$it is in the bundle but not listed in ${Manifest.FILE}") }
    }

    private fun checkReferences(manifest: Manifest) {
        val listed = manifest.files.mapTo(mutableSetOf()) { it.path }
        val files = manifest.parts.associate { it.name to it.file }
        manifest.parts.find { part -> part.file !in listed && listed.none { it.startsWith("${part.file}/") } }?.let {
            throw BundleException("${Manifest.FILE} points part '${it.name}' at ${it.file}, which it does not list")
        }
        for (prompt in manifest.prompts) {
            if (files[prompt.part] != prompt.file) {
                throw BundleException("${Manifest.FILE} has no part '${prompt.part}' with file ${prompt.file} for prompt '${prompt.id}'")
            }
            checkVectorReference(prompt, listed)
        }
        manifest.golden.find { it.part !in files || it.input !in listed || it.output !in listed }?.let {
            throw BundleException("${Manifest.FILE} has a golden case for '${it.part}' whose files it does not list")
        }
    }

    private fun checkVectorReference(prompt: Prompt, listed: Set<String>) {
        val vector = prompt.vector
        if ((vector == null) == (prompt.part == Manifest.TEXT_EDITOR) || (vector != null && vector !in listed)) {
            throw BundleException(
                "${Manifest.FILE} has vector $vector for prompt '${prompt.id}' of part ${prompt.part}; a listed file belongs to " +
                    "${Manifest.TEXT_EDITOR}, null to any other part",
            )
        }
    }

    private fun checkBudget(count: Int, sizes: Collection<Long>, source: String) {
        // Sizes come from the manifest: their sum must not wrap around.
        val total = sizes.sumOf { it.toBigInteger() }
        if (count > MAX_FILES || total > MAX_TOTAL_BYTES.toBigInteger()) {
            throw BundleException("$source announces $count files and $total bytes; the limits are $MAX_FILES and $MAX_TOTAL_BYTES")
        }
    }

    /** Maps each regular file below [root] (POSIX path) to its size; links and special files are refused. */
    internal fun walk(root: Path): Map<String, Long> {
        val found = sortedMapOf<String, Long>()
        if (!Files.isDirectory(root)) throw BundleException("bundle $root does not exist")
        Files.walkFileTree(root, object : SimpleFileVisitor<Path>() {
            override fun visitFile(file: Path, attributes: BasicFileAttributes): FileVisitResult {
                val path = root.relativize(file).joinToString("/")
                if (!attributes.isRegularFile) throw BundleException("$path is a link or special file; a bundle holds plain files only")
                found[path] = attributes.size()
                checkBudget(found.size, listOf(attributes.size()), root.toString())
                return FileVisitResult.CONTINUE
            }
        })
        checkBudget(found.size, found.values, root.toString())
        return found
    }
}

internal fun checkHash(entry: FileEntry, sha256: String) {
    if (sha256 != entry.sha256) throw BundleException("${entry.path} does not match its sha256; the file is damaged or was changed")
}

/** SHA-256 of all that [stream] gives, in lower-case hex; closes it. */
internal fun sha256(stream: InputStream): String {
    val digest = MessageDigest.getInstance("SHA-256")
    stream.forEachBlock { block, count -> digest.update(block, 0, count) }
    return digest.digest().toHex()
}

/** Gives all that is left of the stream in blocks, and closes it. */
internal inline fun InputStream.forEachBlock(take: (block: ByteArray, count: Int) -> Unit) {
    val block = ByteArray(1 shl 16)
    use {
        while (true) {
            val count = it.read(block)
            if (count < 0) return
            take(block, count)
        }
    }
}
