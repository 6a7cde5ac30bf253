package textedit.core

import java.time.Instant
import kotlin.test.Test
import kotlin.test.assertEquals
import org.junit.Rule
import org.junit.rules.TemporaryFolder

class DeviceBenchmarkTest {
    @get:Rule
    val scratch = TemporaryFolder()

    private val machine = Machine("android", emulated = true, "MODEL", "PROCESSOR", cores = 8, "Android 15", memoryBytes = 8L shl 30)
    private val steps = listOf("encode", "edit", "decode", "full", "slider", "slider_shown")
    private val face = PixelImage(8, 8, IntArray(64))

    /** A clock that takes a millisecond between two looks at it, and a process that grows by a megabyte. */
    private class Meters(vararg peaks: Long) : DeviceMeters {
        private var clock = 0L
        private val peaks = peaks.toMutableList()
        override val memoryCounter = "VmHWM"

        override fun nanoseconds() = clock.also { clock += 1_000_000 }

        override fun memory() = MemoryUse(residentBytes = 1000, peakBytes = peaks.removeAt(0))

        override fun rest() = Unit

        override fun thermalState() = "none"

        override fun now(): Instant = Instant.parse("2026-01-31T12:00:00.5Z")
    }

    private fun document(meters: Meters): Json {
        val bundle = TinyBundle.openIn(scratch.newFolder())
        val settings = BenchmarkSettings("sketch", threads = 2, rounds = 3, warmup = 1)
        return DeviceBenchmark(bundle, ArithmeticRunner(), machine, mapOf("executorch" to "1.5.1"), meters).run(settings, face)
    }

    private fun Json.measurement(id: String) = this["measurements"].items.single { it["id"].text == id }

    @Test
    fun `every step is timed in every round`() {
        val document = document(Meters(1_000_000, 2_000_000))
        assertEquals(steps + "load" + "memory", document["measurements"].items.map { it["id"].text })
        for (id in steps) assertEquals(listOf(1.0, 1.0, 1.0), document.measurement(id)["samples"].doubles, id)
        assertEquals("text_editor", document.measurement("edit")["labels"]["part"].text)
        assertEquals(Spread(1.0, 1.0, 1.0), spreads(document)["full"])
        assertEquals("2026-01-31T12:00:00Z", document["taken_at"].text)
    }

    @Test
    fun `each round begins with another step`() {
        val runner = ArithmeticRunner()
        val bundle = TinyBundle.openIn(scratch.newFolder())
        val settings = BenchmarkSettings("smile", threads = 1, rounds = 2, warmup = 0)
        DeviceBenchmark(bundle, runner, machine, mapOf("executorch" to "1.5.1"), Meters(0, 1)).run(settings, face)
        val full = listOf("encoder", "editors/smile", "decoder")
        // Memory, what the steps start from, then encode edit decode full slider slider_shown, then the same from edit on.
        val first = full + full + "decoder" + "decoder"
        val second = listOf("editors/smile", "decoder") + full + listOf("decoder", "decoder", "encoder")
        assertEquals(full + full + first + second, runner.ran)
    }

    @Test
    fun `memory is the peak above what was resident before, and absent where an earlier peak hides it`() {
        val seen = document(Meters(1_000_000, 2_000_000))
        assertEquals(listOf(1_999_000.0), seen.measurement("memory")["samples"].doubles)
        assertEquals(emptyList(), seen["absent"].items)
        val hidden = document(Meters(3_000_000, 3_000_000))
        assertEquals("memory", hidden["absent"].items.single()["id"].text)
    }

    /** benchmarks/result.schema.json judges this file in the project's Python tests. */
    @Test
    fun `writes a document for the schema`() {
        val folder = System.getProperty("textedit.results") ?: return
        java.io.File(folder, "device.json").writeText(document(Meters(1_000_000, 2_000_000)).render())
        java.io.File(folder, "device-no-memory.json").writeText(document(Meters(3_000_000, 3_000_000)).render())
    }
}
