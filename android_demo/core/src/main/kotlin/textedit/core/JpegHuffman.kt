package textedit.core

import java.io.ByteArrayOutputStream

/** A Huffman table of a JPEG: how many codes have 1 to 16 bits, and their symbols in order (ITU-T T.81, annex C). */
internal class JpegHuffman(private val counts: IntArray, private val symbols: IntArray) {
    // By the next 16 bits: length of the code and its symbol; 0 where no code begins like that.
    private val decoded = IntArray(1 shl CODE_BITS)
    private val codes = IntArray(SYMBOLS)
    private val lengths = IntArray(SYMBOLS)

    init {
        var code = 0
        var next = 0
        for (length in 1..CODE_BITS) {
            repeat(counts[length - 1]) {
                val symbol = symbols.getOrNull(next++) ?: throw JpegUnsupported("a Huffman table without all symbols")
                val first = code shl (CODE_BITS - length)
                val end = first + (1 shl (CODE_BITS - length))
                if (end > decoded.size) throw JpegUnsupported("a Huffman table with too many codes")
                decoded.fill(length shl 8 or symbol, first, end)
                codes[symbol] = code++
                lengths[symbol] = length
            }
            code = code shl 1
        }
    }

    /** Reads one symbol. */
    fun read(input: JpegInput): Int {
        val entry = decoded[input.peek(CODE_BITS)]
        if (entry == 0) throw JpegUnsupported("bits that are no code")
        input.skip(entry shr 8)
        return entry and 0xFF
    }

    /** Writes the code of [symbol], and then the [bits] lowest bits of [value]. */
    fun write(output: JpegOutput, symbol: Int, value: Int, bits: Int) {
        output.bits(codes[symbol], lengths[symbol])
        if (bits > 0) output.bits(value and (1 shl bits) - 1, bits)
    }

    /** The table as it stands in a DHT segment. */
    fun writeTo(segment: ByteArrayOutputStream, kind: Int, id: Int) {
        segment.write(kind shl 4 or id)
        counts.forEach(segment::write)
        symbols.forEach(segment::write)
    }

    companion object {
        const val CODE_BITS = 16
        private const val SYMBOLS = 256

        /** The tables of T.81, annex K.3, which have codes for all that a baseline picture can hold. First luminance, then chrominance. */
        val DC = listOf(table("00010501010101010100000000000000", DC_SYMBOLS), table("00030101010101010101010000000000", DC_SYMBOLS))
        val AC = listOf(table("0002010303020403050504040000017d", AC_LUMINANCE), table("00020102040403040705040400010277", AC_CHROMINANCE))

        private fun table(counts: String, symbols: String) = JpegHuffman(numbers(counts), numbers(symbols))

        private fun numbers(hex: String): IntArray = hex.chunked(2).map { it.toInt(16) }.toIntArray()
    }
}

private const val DC_SYMBOLS = "000102030405060708090a0b"
private const val AC_LUMINANCE =
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a34353637" +
        "38393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3" +
        "a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
private const val AC_CHROMINANCE =
    "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a3536" +
        "3738393a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999a" +
        "a2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa"
