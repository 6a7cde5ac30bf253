package textedit.core

import java.io.ByteArrayOutputStream
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.nio.file.Files
import java.nio.file.StandardCopyOption.ATOMIC_MOVE
import java.security.MessageDigest

/** Where the files of a bundle come from: an app's assets, a directory. */
interface BundleSource {
    /** Paths of all files, below the bundle's root. */
    val paths: Set<String>

    fun open(path: String): InputStream
}

/**
 * A bundle, or an update of one, that lies in a directory.
 *
 * @throws BundleException a link or special file lies in it.
 */
class DirectorySource(private val root: File) : BundleSource {
    override val paths: Set<String> = BundleReader.walk(root.toPath()).keys

    override fun open(path: String): InputStream = File(root, path).inputStream()
}

/**
 * The bundles that an app has installed, of which one is current and the one before it may be gone back to.
 *
 * Every bundle lies in a folder named after its manifest's digest. The file `current` names the bundle in use and the one before it, and
 * is replaced in one step, so that whatever is interrupted leaves the current bundle as it was. Signatures are checked when a bundle is
 * taken in; hashes every time that one is opened.
 *
 * @param root a directory that belongs to this store alone, in the app's private storage.
 * @param publicKey base64 DER public key that must have signed what is taken in. With null, [seed] takes any bundle, and an update must
 *   have the signer of the bundle that it follows, if that has one.
 */
class BundleStore(private val root: File, private val publicKey: String? = null) {
    private val pointer = File(root, "current")
    private val seeded = File(root, "seeded")

    /**
     * Opens the bundle in use; null where none was installed yet.
     *
     * @throws BundleException it was damaged since; [seed] and [rollback] mend that.
     */
    fun current(): Bundle? = history().firstOrNull()?.let { BundleReader.open(folder(it)) }

    /**
     * Opens the bundle in use. The app's own bundle takes its place where nothing is installed, where what is installed was damaged, and
     * where the app brings another bundle than the last time, as after an update of the app.
     *
     * @param accept runs on the checked bundle before it takes its place; what it throws leaves everything as it was. The self-test
     *   belongs here.
     * @throws BundleException naming what does not keep the contract.
     */
    @Synchronized
    fun seed(source: BundleSource, accept: (Bundle) -> Unit = {}): Bundle {
        val incoming = Incoming.from(source, publicKey)
        if (seeded.isFile && seeded.readText() == incoming.manifest.digest) currentIfWhole()?.let { return it }
        return take(incoming, previous = null, accept).also { replace(seeded, incoming.manifest.digest) }
    }

    /**
     * Makes a newer bundle of the same model current. Files that the current bundle lists with the same hash need not be brought again.
     *
     * @param accept as in [seed].
     * @throws BundleException nothing is installed, the update is for another model or target, or what it would make does not keep the
     *   contract.
     */
    @Synchronized
    fun update(source: BundleSource, accept: (Bundle) -> Unit = {}): Bundle {
        val old = current() ?: throw BundleException("nothing is installed that could be updated")
        val incoming = Incoming.from(source, publicKey ?: old.manifest.publicKey)
        val (before, after) = old.manifest to incoming.manifest
        if (before.name != after.name || before.target != after.target) {
            throw BundleException("the update is for ${after.name} on ${after.target}; installed is ${before.name} on ${before.target}")
        }
        return if (before.digest == after.digest) old else take(incoming, old, accept)
    }

    /**
     * Makes the bundle before the current one current again.
     *
     * @throws BundleException there is none, or it was damaged.
     */
    @Synchronized
    fun rollback(): Bundle {
        val previous = history().getOrNull(1) ?: throw BundleException("there is no earlier bundle to go back to")
        return BundleReader.open(folder(previous)).also { remember(listOf(previous)) }
    }

    private fun currentIfWhole(): Bundle? = try {
        current()
    } catch (_: BundleException) {
        null
    }

    private fun take(incoming: Incoming, previous: Bundle?, accept: (Bundle) -> Unit): Bundle {
        val staging = File(root, ".incoming")
        try {
            staging.deleteRecursively()
            incoming.writeTo(staging, previous)
            accept(BundleReader.open(staging))
            adopt(staging, incoming.manifest.digest)
        } catch (error: IOException) {
            throw BundleException("cannot install ${incoming.manifest.name}: ${error.message}", error)
        } finally {
            staging.deleteRecursively()
        }
        return BundleReader.open(folder(incoming.manifest.digest))
    }

    private fun adopt(staging: File, digest: String) {
        // Nothing is there but a damaged bundle of this digest, if anything.
        folder(digest).deleteRecursively()
        Files.move(staging.toPath(), folder(digest).toPath(), ATOMIC_MOVE)
        remember((listOf(digest) + history()).distinct().take(2))
    }

    private fun remember(digests: List<String>) {
        replace(pointer, digests.joinToString("\n"))
        root.listFiles().orEmpty().filter { DIGEST.matches(it.name) && it.name !in digests }.forEach { it.deleteRecursively() }
    }

    /** The current bundle's digest and, if there is one, that of the bundle before it. */
    private fun history(): List<String> = if (pointer.isFile) pointer.readLines().filter(DIGEST::matches).take(2) else emptyList()

    private fun replace(file: File, text: String) {
        val scratch = File(root, ".${file.name}")
        scratch.outputStream().use {
            it.write(text.toByteArray())
            it.fd.sync()
        }
        Files.move(scratch.toPath(), file.toPath(), ATOMIC_MOVE)
    }

    private fun folder(digest: String) = File(root, digest)

    private companion object {
        val DIGEST = Regex("[0-9a-f]{64}")
    }
}

/** A bundle on its way in, whose manifest and signature have been checked and whose files have not. */
private class Incoming(
    private val source: BundleSource,
    private val raw: ByteArray,
    private val signature: ByteArray?,
    val manifest: Manifest,
) {
    /** Writes the whole bundle; what the source does not bring comes from [previous] where that lists it with the same hash. */
    fun writeTo(folder: File, previous: Bundle?) {
        folder.mkdirs()
        val known = previous?.manifest?.files?.toSet().orEmpty()
        for (entry in manifest.files) {
            val stream = when {
                entry.path in source.paths -> source.open(entry.path)
                previous != null && entry in known -> previous.file(entry.path).inputStream()
                else -> throw BundleException("${entry.path} is missing from the bundle")
            }
            checkHash(entry, stream.copyTo(File(folder, entry.path), entry))
        }
        File(folder, Manifest.FILE).writeBytes(raw)
        signature?.let { File(folder, Manifest.SIGNATURE_FILE).writeBytes(it) }
    }

    companion object {
        const val MAX_SIGNATURE_BYTES = 1024

        fun from(source: BundleSource, publicKey: String?): Incoming {
            val raw = source.read(Manifest.FILE, Manifest.MAX_BYTES)
                ?: throw BundleException("this is not a bundle: ${Manifest.FILE} is missing")
            val signature = source.read(Manifest.SIGNATURE_FILE, MAX_SIGNATURE_BYTES)
            val manifest = BundleReader.manifest(raw, signature, publicKey)
            val listed = manifest.files.mapTo(mutableSetOf(Manifest.FILE, Manifest.SIGNATURE_FILE)) { it.path }
            source.paths.find { it !in listed }?.let { throw BundleException("$it is in the bundle but not listed in ${Manifest.FILE}") }
            return Incoming(source, raw, signature, manifest)
        }
    }
}

/** The whole file, or null where there is none; one that is longer than [limit] is not read to its end. */
private fun BundleSource.read(path: String, limit: Int): ByteArray? {
    if (path !in paths) return null
    val bytes = ByteArrayOutputStream()
    open(path).forEachBlock { block, count ->
        bytes.write(block, 0, count)
        if (bytes.size() > limit) throw BundleException("$path has more than $limit bytes")
    }
    return bytes.toByteArray()
}

/** Copies at most the listed number of bytes and returns their SHA-256. */
private fun InputStream.copyTo(target: File, entry: FileEntry): String {
    val digest = MessageDigest.getInstance("SHA-256")
    var copied = 0L
    target.parentFile?.mkdirs()
    target.outputStream().use { output ->
        forEachBlock { block, count ->
            copied += count
            if (copied > entry.bytes) throw BundleException("${entry.path} has more bytes; ${Manifest.FILE} lists ${entry.bytes}")
            digest.update(block, 0, count)
            output.write(block, 0, count)
        }
        output.fd.sync()
    }
    return digest.digest().toHex()
}
