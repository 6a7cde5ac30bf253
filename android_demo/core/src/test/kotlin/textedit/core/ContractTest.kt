package textedit.core

import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.abs
import kotlin.test.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertNotNull
import kotlin.test.assertTrue
import org.junit.Rule
import org.junit.rules.TemporaryFolder

/** Every vector in tests/contracts: what Python writes, Kotlin must find as well. */
class ContractTest {
    @get:Rule
    val scratch = TemporaryFolder()

    private fun eachCase(file: String, check: (vectors: Json, case: Json) -> Unit) {
        val vectors = Vectors.read(file)
        val cases = vectors["cases"].items
        assertTrue(cases.isNotEmpty(), file)
        for (case in cases) {
            try {
                check(vectors, case)
            } catch (error: Throwable) {
                throw AssertionError("$file: ${case.fields["name"]?.text ?: case.render()}: ${error.message}", error)
            }
        }
    }

    private inline fun <reified E : Throwable> expect(refused: String?, crossinline run: () -> Unit) {
        if (refused == null) return run()
        assertContains(assertNotNull(assertFailsWith<E> { run() }.message), refused)
    }

    @Test
    fun manifests() {
        val verdicts = Vectors.read("manifest/verdicts.json").fields
        assertEquals(Vectors.file("manifest").list()!!.toSet() - "verdicts.json", verdicts.keys)
        for ((name, verdict) in verdicts) {
            expect<BundleException>(verdict.textOrNull) { ManifestReader.parse(Vectors.file("manifest/$name").readBytes()) }
        }
    }

    @Test
    fun cropTransforms() = eachCase("alignment.json") { vectors, case ->
        val (width, height) = case["photo"].items.map { it.int }
        expect<LandmarkException>(case["refused"].textOrNull) {
            val found = cropTransform(case["landmarks"], case["rule"], width, height)
            val expected = transform(case["transform"])
            for ((a, b) in listOf(expected.origin to found.origin, expected.axis to found.axis)) {
                assertEquals(a.x, b.x, vectors["tolerance_px"].double)
                assertEquals(a.y, b.y, vectors["tolerance_px"].double)
            }
        }
    }

    @Test
    fun crops() = eachCase("crops.json") { vectors, case ->
        val photo = vectors["photo"].image
        val transform = cropTransform(case["landmarks"], vectors["rule"], photo.width, photo.height)
        assertSameLevels(case["crop"].image, cropFace(photo, transform, case["size"].int), vectors["tolerance_levels"].int)
    }

    @Test
    fun pastes() = eachCase("pastes.json") { vectors, case ->
        val photo = vectors["photo"].image
        val reconstruction = vectors["reconstruction"].image.takeIf { case["adds_the_change_only"] == Json.Flag(true) }
        val result = pasteBack(photo, vectors["edited"].image, transform(case["transform"]), reconstruction)
        assertSameLevels(case["result"].image, result, vectors["tolerance_levels"].int)
    }

    @Test
    fun compositions() {
        val vectors = Vectors.read("compositions.json")
        val guides = guides(vectors)
        val expected = littleEndian(vectors["guides"].bytes)
        val found = guides.with(SIXTEEN.toTensor(vectors["after"].image))
        assertEquals(expected.size, found.size)
        for (at in expected.indices) assertEquals(expected[at], found[at], vectors["guides_tolerance"].float)
        eachCase("compositions.json") { _, case ->
            val overlay = guides.overlay(littleEndian(case["fields"].bytes), SIXTEEN.toTensor(vectors["after"].image))
            val result = compose(vectors["photo"].image, overlay, transform(case["transform"]))
            assertSameLevels(case["result"].image, result, vectors["tolerance_levels"].int)
        }
    }

    private fun guides(vectors: Json) =
        Guides(vectors["guide_side"].int, SIXTEEN, vectors["crop"].image, SIXTEEN.toTensor(vectors["before"].image))

    @Test
    fun masks() {
        for ((side, opacity) in Vectors.read("pastes.json")["masks"].fields) {
            assertEquals(opacity.items.map { it.int }, featheredMask(side.toInt()).argb.map { it.blue }, side)
        }
    }

    @Test
    fun pixels() = eachCase("pixels.json") { _, case ->
        fun spec(size: Int) = PixelSpec(size, case["minimum"].float, case["maximum"].float)
        val levels = PixelImage(16, 16, IntArray(256) { opaque(it, it, it) })
        assertEquals(case["values_of_all_bytes"].floats.toList(), spec(16).toTensor(levels).take(256))
        val side = case["image"]["side"].int
        val bytes = case["image"]["interleaved"].items.map { it.int }
        val image = PixelImage(side, side, IntArray(side * side) { opaque(bytes[3 * it], bytes[3 * it + 1], bytes[3 * it + 2]) })
        assertEquals(case["image"]["planar"].floats.toList(), spec(side).toTensor(image).toList())
        for ((number, byte) in case["numbers"].floats.zip(case["bytes_of_numbers"].items)) {
            assertEquals(opaque(byte.int, byte.int, byte.int), spec(side).toImage(FloatArray(3) { number }).argb.single(), "$number")
        }
    }

    @Test
    fun edits() {
        val vectors = Vectors.read("edits.json")
        val (wPlus, deltaW) = vectors["w_plus"].floats to vectors["delta_w"].floats
        for (case in vectors["applied"].items) {
            val strength = case["strength"].float
            assertEquals(case["result"].floats.toList(), applyEdit(wPlus, deltaW, strength).toList(), "$strength")
        }
        assertEquals(vectors["w_plus_text"].floats.toList(), belowWPlus(wPlus, vectors["text"].floats).toList())
        for (case in vectors["ranges"].items) {
            val range = StrengthRange(case["default"].float, case["minimum"].float, case["maximum"].float)
            val asked = if (case["asked"].textOrNull == "NaN") Float.NaN else (case["asked"] as? Json.Number)?.float
            expect<IllegalArgumentException>("outside".takeIf { case["used"] == Json.Null }) {
                val used = range.used(asked)
                assertEquals(case["used"].float, used)
            }
        }
    }

    @Test
    fun goldenComparison() = eachCase("golden.json") { vectors, case ->
        val reached = psnrDb(littleEndian(case["expected"].bytes), littleEndian(case["actual"].bytes))
        val expected = (case["psnr_db"] as? Json.Number)?.double ?: Double.NaN
        assertEquals(expected, reached, vectors["tolerance_db"].double)
        assertEquals(case["passes"] == Json.Flag(true), SelfTestResult("decoder", reached, vectors["floor_db"].double).passed)
    }

    @Test
    fun spreads() = eachCase("spreads.json") { vectors, case ->
        val found = Spread.of(case["values"].doubles)
        for ((name, value) in mapOf("median" to found.median, "p10" to found.p10, "p90" to found.p90)) {
            assertEquals(case[name].double, value, vectors["tolerance"].double, name)
        }
    }

    /** The times of `full` are 9.25 and 9.75 ms. */
    @Test
    fun deviceResults() {
        for ((kind, document) in Vectors.read("device_results.json").fields) {
            assertEquals(document, Json.parse(document.render().toByteArray()), kind)
            assertEquals(9.5, spreads(document).getValue("full").median, kind)
        }
    }

    @Test
    fun signatures() = eachCase("signatures.json") { _, case ->
        val check = { checkSignature(case["public_key"].text, case["message"].bytes, case["signature"].bytes) }
        if (case["valid"] == Json.Flag(true)) check() else assertFailsWith<BundleException> { check() }
    }

    @Test
    fun bundles() = eachCase("bundles.json") { vectors, case ->
        val root = case["files"].writeFiles(scratch.newFolder(), vectors["contents"], case["links"])
        expect<BundleException>(case["refused"].textOrNull) { BundleReader.open(root, case["public_key"].textOrNull) }
    }

    @Test
    fun updates() = eachCase("updates.json") { vectors, case ->
        val home = scratch.newFolder()
        val installed = BundleStore(home).seed(DirectorySource(case["installed"].writeFiles(scratch.newFolder(), vectors["contents"])))
        val before = installed.root.readTree()
        val update = case["update"].writeFiles(scratch.newFolder(), vectors["contents"])
        val store = BundleStore(home, case["public_key"].textOrNull)
        expect<BundleException>(case["refused"].textOrNull) { store.update(DirectorySource(update)) }
        val taken = case["result"].takeIf { it != Json.Null }?.writeFiles(scratch.newFolder(), vectors["contents"])?.readTree()
        assertEquals(taken ?: before, assertNotNull(store.current()).root.readTree())
        assertEquals(emptyList(), home.listFiles().orEmpty().filter { it.name.startsWith(".") }, "nothing half-made is left behind")
    }

    private fun cropTransform(landmarks: Json, rule: Json, width: Int, height: Int): CropTransform {
        if (landmarks == Json.Null) return CropTransform.centralSquare(width, height)
        val (leftEye, rightEye, nose, leftMouth, rightMouth) = landmarks.items.map { point ->
            // A coordinate that is no number stands as null.
            val (x, y) = point.items.map { (it as? Json.Number)?.double ?: Double.NaN }
            Point(x, y)
        }
        val (eyeFactor, mouthFactor, margin, drop) = listOf("eye_factor", "mouth_factor", "margin", "drop").map { rule[it].double }
        val face = Landmarks(leftEye, rightEye, nose, leftMouth, rightMouth)
        return CropTransform.aroundFace(face, width, height, CropRule(eyeFactor, mouthFactor, margin, drop))
    }

    private fun transform(json: Json): CropTransform {
        val (origin, axis) = listOf("origin", "axis").map { name -> json[name].doubles.let { (x, y) -> Point(x, y) } }
        return CropTransform(origin, axis)
    }

    private fun littleEndian(raw: ByteArray): FloatArray =
        FloatArray(raw.size / 4).also { ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(it) }

    private fun assertSameLevels(expected: PixelImage, actual: PixelImage, tolerance: Int) {
        assertEquals(expected.width to expected.height, actual.width to actual.height)
        val worst = expected.argb.indices.maxOf { at ->
            listOf(0, 8, 16).maxOf { shift -> abs((expected.argb[at] shr shift and 0xFF) - (actual.argb[at] shr shift and 0xFF)) }
        }
        assertTrue(worst <= tolerance, "a pixel differs by $worst levels")
    }

    private companion object {
        val SIXTEEN = PixelSpec(size = 16, minimum = -1f, maximum = 1f)
    }
}
