package textedit.core

import java.security.MessageDigest

/** Reads bundle.json in the order of the contract: size, JSON, version, digest, schema, paths. */
object ManifestReader {
    /**
     * Checks and reads the bytes of bundle.json.
     *
     * @throws BundleException too long, not JSON, of another schema version, not matching its own digest or the schema, or listing an
     *   unsafe or repeated path.
     */
    fun parse(raw: ByteArray): Manifest {
        if (raw.size > Manifest.MAX_BYTES) throw tooLong(raw.size.toLong())
        val document = try {
            Json.parse(raw)
        } catch (error: JsonException) {
            throw BundleException("${Manifest.FILE} is not valid JSON: ${error.message}", error)
        }
        if (document !is Json.Object) throw BundleException("${Manifest.FILE} holds no JSON object")
        checkVersion(document)
        val digest = checkedDigest(raw)
        return manifest(JsonFields(document), digest).also { checkPaths(it.files) }
    }

    private fun checkVersion(document: Json.Object) {
        val version = (document.fields["schema_version"] as? Json.Number)?.takeIf { it.isInteger }?.literal?.toBigInteger()
            ?: throw BundleException("${Manifest.FILE} has no integer schema_version")
        if (version !in READABLE.map(Int::toBigInteger)) {
            val advice = if (version > Manifest.SCHEMA_VERSION.toBigInteger()) "update this app" else "export the bundle again"
            throw BundleException("${Manifest.FILE} has schema_version $version; this app reads ${READABLE.joinToString(" and ")}: $advice")
        }
    }

    /** The digest covers the file's bytes without its own 64 digits, so that no JSON has to be written again to check it. */
    private fun checkedDigest(raw: ByteArray): String {
        // Latin-1 keeps one character per byte, so that positions in the text are positions in the file.
        val digits = DIGEST_FIELD.findAll(String(raw, Charsets.ISO_8859_1)).singleOrNull()?.groups?.get(1)
        val hash = MessageDigest.getInstance("SHA-256")
        if (digits != null) {
            hash.update(raw, 0, digits.range.first)
            hash.update(raw, digits.range.last + 1, raw.size - digits.range.last - 1)
        }
        if (digits == null || hash.digest().toHex() != digits.value) {
            throw BundleException("${Manifest.FILE} does not match its own manifest_sha256; the file is damaged or was edited")
        }
        return digits.value
    }

    private fun manifest(root: JsonFields, digest: String): Manifest {
        val fields = root.fields(
            "schema_version", "manifest_sha256", "name", "target", "runtime", "pixels", "alignment", "parts", "prompts", "golden",
            "provenance", "files", "signature",
        )
        return Manifest(
            digest = digest,
            name = fields.getValue("name").text(NAME),
            target = fields.getValue("target").oneOf("android", "ios", "onnx"),
            runtime = runtime(fields.getValue("runtime")),
            pixels = pixels(fields.getValue("pixels")),
            cropRule = alignment(fields.getValue("alignment")),
            parts = fields.getValue("parts").items(2..Int.MAX_VALUE).map(::part),
            prompts = fields.getValue("prompts").items().map(::prompt),
            golden = fields.getValue("golden").items().map(::golden),
            checkpointId = provenance(fields.getValue("provenance")),
            files = fields.getValue("files").items().map(::file),
            publicKey = fields.getValue("signature").orNull(::signature),
        )
    }

    private fun runtime(at: JsonFields): RuntimeRequirement {
        val fields = at.fields("name", "version", "backend", "min_os")
        // Shown, and never acted on: what an app runs is told by the target.
        val name = fields.getValue("name").text(length = 1..64)
        val (version, backend, minOs) = listOf("version", "backend", "min_os").map { fields.getValue(it).text() }
        return RuntimeRequirement(name, version, backend, minOs)
    }

    private fun pixels(at: JsonFields): PixelSpec {
        val fields = at.fields("size", "minimum", "maximum", "channel_order", "color_space", "layout")
        fields.getValue("channel_order").oneOf("RGB")
        fields.getValue("color_space").oneOf("sRGB")
        fields.getValue("layout").oneOf("NCHW")
        val size = fields.getValue("size").whole(8L..4096L).toInt()
        return PixelSpec(size, fields.getValue("minimum").number().toFloat(), fields.getValue("maximum").number().toFloat())
    }

    private fun alignment(at: JsonFields): CropRule {
        val fields = at.fields("landmarks", "template", "crop_rule")
        val names = fields.getValue("landmarks").items(5..5)
        names.zip(Landmarks.NAMES).forEach { (item, name) -> item.oneOf(name) }
        fields.getValue("template").items(5..5).forEach { point -> point.items(2..2).forEach { it.number() } }
        val rule = fields.getValue("crop_rule").fields("eye_factor", "mouth_factor", "margin", "drop").mapValues { it.value.number() }
        return CropRule(rule.getValue("eye_factor"), rule.getValue("mouth_factor"), rule.getValue("margin"), rule.getValue("drop"))
    }

    private fun part(at: JsonFields): Part {
        val fields = at.fields(
            "part", "file", "precision", "bytes", "input", "output", "parity", "operations", "undelegated", "kept_float",
            "compute_units?", "batch_sizes?",
        )
        // Null where no machine at hand could run the network.
        fields.getValue("parity").orNull(::parity)
        fields["compute_units"]?.oneOf("all", "cpuAndNeuralEngine", "cpuAndGPU", "cpuOnly")
        fields["batch_sizes"]?.let(::batchSizes)
        fields.getValue("operations").counts()
        fields.getValue("undelegated").orNull { counts() }
        fields.getValue("kept_float").items().forEach { it.text() }
        return Part(
            name = fields.getValue("part").text(PART),
            file = fields.getValue("file").path(),
            precision = fields.getValue("precision").text(PRECISION),
            bytes = fields.getValue("bytes").whole(1L..Long.MAX_VALUE),
            input = tensor(fields.getValue("input")),
            output = tensor(fields.getValue("output")),
        )
    }

    private fun parity(at: JsonFields) {
        val fields = at.fields("psnr_db", "floor_db", "max_abs_error", "samples")
        fields.getValue("psnr_db").number()
        fields.getValue("floor_db").number()
        fields.getValue("max_abs_error").number(minimum = 0.0)
        fields.getValue("samples").whole(1L..Long.MAX_VALUE)
    }

    private fun batchSizes(at: JsonFields) {
        val sizes = at.items(2..64)
        sizes.first().whole(1L..1L)
        sizes.drop(1).fold(1L) { before, size -> size.whole(before + 1..64L) }
    }

    private fun tensor(at: JsonFields): TensorSpec {
        val fields = at.fields("name", "shape", "dtype", "minimum", "maximum")
        fields.getValue("dtype").oneOf("float32")
        fields.getValue("minimum").orNull { number() }
        fields.getValue("maximum").orNull { number() }
        return TensorSpec(fields.getValue("name").oneOf("image", "w_plus", "w_plus_text", "delta_w", "guides", "fields"), fields.getValue("shape").shape())
    }

    private fun prompt(at: JsonFields): Prompt {
        val fields = at.fields(
            "id", "text", "neutral_text", "names", "strength_default", "strength_min", "strength_max", "part", "file", "vector",
        )
        fields.getValue("neutral_text").text()
        val strengths = listOf("strength_default", "strength_min", "strength_max").map { fields.getValue(it).number().toFloat() }
        return Prompt(
            id = fields.getValue("id").text(ID),
            text = fields.getValue("text").text(),
            names = fields.getValue("names").anyFields().mapValues { it.value.text() },
            strength = StrengthRange(strengths[0], strengths[1], strengths[2]),
            part = fields.getValue("part").text(),
            file = fields.getValue("file").path(),
            vector = fields.getValue("vector").orNull { path() },
        )
    }

    private fun golden(at: JsonFields): GoldenCase {
        val fields = at.fields("part", "input", "output", "shape", "psnr_floor_db")
        return GoldenCase(
            part = fields.getValue("part").text(),
            input = fields.getValue("input").path(),
            output = fields.getValue("output").path(),
            shape = fields.getValue("shape").shape(),
            psnrFloorDb = fields.getValue("psnr_floor_db").number(),
        )
    }

    private fun provenance(at: JsonFields): String {
        val fields = at.fields("checkpoint_id", "training_data_licence", "tools", "*")
        fields.getValue("training_data_licence").text()
        fields.getValue("tools").anyFields().values.forEach { it.text() }
        return fields.getValue("checkpoint_id").text()
    }

    private fun file(at: JsonFields): FileEntry {
        val fields = at.fields("path", "bytes", "sha256")
        return FileEntry(
            path = fields.getValue("path").text(length = 1..Int.MAX_VALUE),
            bytes = fields.getValue("bytes").whole(0L..Long.MAX_VALUE),
            sha256 = fields.getValue("sha256").text(SHA256),
        )
    }

    private fun signature(at: JsonFields): String {
        val fields = at.fields("algorithm", "public_key")
        fields.getValue("algorithm").oneOf("ECDSA-P256-SHA256")
        return fields.getValue("public_key").text()
    }

    private fun JsonFields.path(): String = text(length = 1..240)

    private fun JsonFields.shape(): List<Int> = items(1..8).map { it.whole(1L..Int.MAX_VALUE.toLong()).toInt() }

    private fun JsonFields.counts() = anyFields().values.forEach { it.whole(1L..Long.MAX_VALUE) }

    private fun checkPaths(files: List<FileEntry>) {
        files.find { !isSafePath(it.path) }?.let {
            throw BundleException("${Manifest.FILE} lists the unsafe path '${it.path}'; paths are relative and stay inside the bundle")
        }
        if (files.distinctBy { it.path.caseFolded() }.size != files.size) {
            throw BundleException("${Manifest.FILE} lists a file twice (phones and Macs ignore upper and lower case)")
        }
    }

    private val DIGEST_FIELD = Regex("""(?m)^  "manifest_sha256": "([0-9a-f]{64})"""")
    private val NAME = Regex("[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
    private val ID = Regex("[a-z0-9][a-z0-9_-]{0,63}")
    private val READABLE = listOf(Manifest.PASTING_VERSION, Manifest.SCHEMA_VERSION)
    private val PART = Regex("encoder|decoder|text_editor|compositor|editors/[a-z0-9][a-z0-9_-]{0,63}")
    // Shown and never acted on: the runtime reads the numbers' form from the network's own file.
    private val PRECISION = Regex("[a-z][a-z0-9_]{0,31}")
    private val SHA256 = Regex("[0-9a-f]{64}")
}

internal fun tooLong(bytes: Long) = BundleException("${Manifest.FILE} has $bytes bytes; a manifest has at most ${Manifest.MAX_BYTES}")

/** True for a relative POSIX path in normal form that stays below its root and means the same on every system. */
internal fun isSafePath(path: String): Boolean =
    path.none { it in "\\:*?\"<>|" || it < ' ' } && path.split('/').none { it.isEmpty() || it == "." || it == ".." }

/** Upper case first: it unites letters such as the two forms of a sigma, which lower case alone keeps apart. */
internal fun String.caseFolded(): String = uppercase(java.util.Locale.ROOT).lowercase(java.util.Locale.ROOT)

internal fun ByteArray.toHex(): String = joinToString("") { "%02x".format(it) }
