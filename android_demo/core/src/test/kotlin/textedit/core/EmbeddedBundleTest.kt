package textedit.core

import java.io.File
import javax.imageio.ImageIO
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertNotNull
import kotlin.test.assertTrue
import org.junit.Assume.assumeTrue
import org.junit.Before
import org.junit.Rule
import org.junit.rules.TemporaryFolder

/** The bundle in the app's assets, as `python -m export --target android --embed android_demo` left it. */
class EmbeddedBundleTest {
    @get:Rule
    val scratch = TemporaryFolder()

    private lateinit var assets: File

    @Before
    fun find() {
        val path = System.getProperty("textedit.bundle")
        assumeTrue("no bundle is embedded; make android embeds one", path != null)
        assets = File(checkNotNull(path))
    }

    @Test
    fun `it is one that the app takes, for the runtime that the app has`() {
        val bundle = BundleStore(scratch.newFolder()).seed(DirectorySource(assets))
        assertEquals("android" to "ExecuTorch", bundle.manifest.target to bundle.manifest.runtime.name)
        assertTrue(bundle.manifest.parts.all { bundle.file(it.file).name.endsWith(".pte") && bundle.file(it.file).length() == it.bytes })
        assertTrue(bundle.manifest.prompts.isNotEmpty())
        assertEquals(bundle.manifest.parts.map { it.name }.toSet(), bundle.manifest.golden.map { it.part }.toSet())
    }

    /** A runner that knows the stored answers shows that inputs and answers have the sizes that the networks take. */
    @Test
    fun `its self-test can be run`() {
        val bundle = BundleReader.open(assets)
        val answers = bundle.manifest.golden.associate { case -> case.part to bundle.tensor(case.output, case.shape.reduce(Int::times)) }
        val knowing = object : NetworkRunner by ArithmeticRunner() {
            override fun run(part: Part, input: FloatArray): FloatArray {
                assertEquals(part.input.count, input.size, part.name)
                assertEquals(part.output.count, answers.getValue(part.name).size, part.name)
                return answers.getValue(part.name)
            }
        }
        val results = SelfTest(bundle, ::readPng).run(knowing)
        assertEquals(bundle.manifest.golden.size, results.size)
        assertTrue(results.all { it.psnrDb == IDENTICAL_DB })
    }

    @Test
    fun `every prompt has a text that its network takes, and a name in both languages of the app`() {
        val bundle = BundleReader.open(assets)
        for (prompt in bundle.manifest.prompts) {
            val part = bundle.manifest.part(prompt.part)
            assertEquals(part.input.count, part.output.count + (bundle.vector(prompt)?.size ?: 0), prompt.id)
            assertEquals(assertNotNull(prompt.names["zh"]), prompt.displayName("zh-Hans-CN"))
            assertEquals(assertNotNull(prompt.names["en"]), prompt.displayName("en-GB"))
        }
    }

    /** Opaque sRGB bytes pass through the conversion and back unchanged. */
    @Test
    fun `its golden face is a picture of the encoder's size`() {
        val bundle = BundleReader.open(assets)
        val face = readPng(bundle.file(bundle.manifest.golden.first { it.part == Manifest.ENCODER }.input))
        val pixels = bundle.manifest.pixels
        assertContentEquals(face.argb, pixels.toImage(pixels.toTensor(face)).argb)
    }

    private fun readPng(file: File): PixelImage =
        ImageIO.read(file).run { PixelImage(width, height, getRGB(0, 0, width, height, null, 0, width)) }
}
