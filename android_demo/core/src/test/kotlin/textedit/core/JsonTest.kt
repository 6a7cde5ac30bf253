package textedit.core

import kotlin.test.Test
import kotlin.test.assertContains
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith

class JsonTest {
    @Test
    fun readsWhatItWrites() {
        val value = Json.obj(
            "text" to Json.of("a \"quoted\"\n\u00fc\ud83d\ude00"),
            "list" to Json.Array(listOf(Json.of(1), Json.of(-2.5), Json.Null, Json.Flag(true))),
            "empty" to Json.obj(),
        )
        assertEquals(value, Json.parse(value.render().toByteArray()))
    }

    @Test
    fun readsEscapes() {
        assertEquals(Json.of("\u00e9\n\t/\\"), Json.parse("""  "\u00e9\n\t\/\\"  """.toByteArray()))
    }

    @Test
    fun refuses() {
        val cases = mapOf(
            "" to "ends early",
            "{\"a\": 1, \"a\": 2}" to "repeats the key",
            "[1,]" to "no value",
            "[1 2]" to "expected ','",
            "01" to "text after the end",
            "NaN" to "no value",
            "+1" to "no value",
            "\"\\x\"" to "escape",
            "\"\\u12g4\"" to "escape",
            "\"a\nb\"" to "control character",
            "\"open" to "ends early",
            "{} {}" to "text after the end",
            "[".repeat(100_000) to "nested deeper",
        )
        for ((text, words) in cases) {
            assertContains(assertFailsWith<JsonException>(text.take(20)) { Json.parse(text.toByteArray()) }.message!!, words)
        }
        assertContains(assertFailsWith<JsonException> { Json.parse(byteArrayOf(-1)) }.message!!, "UTF-8")
    }
}
