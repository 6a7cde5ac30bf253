package textedit.core

import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFalse
import kotlin.test.assertTrue
import org.junit.Rule
import org.junit.rules.TemporaryFolder

class SelfTestTest {
    @get:Rule
    val scratch = TemporaryFolder()

    /** The tiny bundle's decoder maps zeros to zeros. */
    @Test
    fun `a right and a wrong decoder are told apart`() {
        val test = SelfTest(TinyBundle.openIn(scratch.newFolder())) { error("no PNG in this bundle") }
        assertEquals(listOf(SelfTestResult("decoder", IDENTICAL_DB, 45.0)), test.run(ArithmeticRunner()))
        val wrong = object : NetworkRunner by ArithmeticRunner() {
            override fun run(part: Part, input: FloatArray) = FloatArray(part.output.count) { 0.01f }
        }
        assertTrue(test.run(ArithmeticRunner()).all { it.passed })
        assertFalse(test.run(wrong).single().passed)
    }
}
