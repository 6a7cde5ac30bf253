package textedit.demo

import android.content.ContentResolver
import android.content.ContentValues
import android.content.Context
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.ColorSpace
import android.net.Uri
import android.os.Build
import android.os.Environment
import android.provider.MediaStore
import androidx.annotation.RequiresApi
import androidx.core.content.FileProvider
import java.io.File
import java.io.IOException
import textedit.core.PixelImage

fun Bitmap.toPixelImage(): PixelImage {
    val argb = IntArray(width * height)
    getPixels(argb, 0, width, 0, 0, width, height)
    return PixelImage(width, height, argb)
}

fun PixelImage.toBitmap(): Bitmap = Bitmap.createBitmap(argb, width, height, Bitmap.Config.ARGB_8888)

/** What is transparent in a picture is laid over white. */
fun Bitmap.overWhite(): Bitmap {
    if (!hasAlpha()) return this
    val opaque = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888)
    Canvas(opaque).apply {
        drawColor(Color.WHITE)
        drawBitmap(this@overWhite, 0f, 0f, null)
    }
    return opaque
}

/** Decodes a golden input as it is stored, without scaling to the screen's density. */
fun readPng(file: File): PixelImage {
    val options = BitmapFactory.Options().apply {
        inScaled = false
        inPreferredColorSpace = ColorSpace.get(ColorSpace.Named.SRGB)
    }
    return (BitmapFactory.decodeFile(file.path, options) ?: throw IOException("${file.name} is not a readable PNG")).toPixelImage()
}

/**
 * Adds a JPEG to the album, which reads its date and place. It is pending, and so invisible to others, until all of it is written; a
 * failure leaves nothing behind.
 *
 * @throws IOException the album does not take it.
 */
@RequiresApi(Build.VERSION_CODES.Q)
fun ContentResolver.addToAlbum(picture: File, name: String): Uri {
    val pending = ContentValues().apply {
        put(MediaStore.Images.Media.DISPLAY_NAME, "$name.jpg")
        put(MediaStore.Images.Media.MIME_TYPE, "image/jpeg")
        put(MediaStore.Images.Media.RELATIVE_PATH, Environment.DIRECTORY_PICTURES)
        put(MediaStore.Images.Media.IS_PENDING, 1)
    }
    val collection = MediaStore.Images.Media.getContentUri(MediaStore.VOLUME_EXTERNAL_PRIMARY)
    val uri = insert(collection, pending) ?: throw IOException("the album takes no picture")
    var added = false
    try {
        copyInto(picture, uri)
        update(uri, ContentValues().apply { put(MediaStore.Images.Media.IS_PENDING, 0) }, null, null)
        added = true
    } finally {
        if (!added) delete(uri, null, null)
    }
    return uri
}

/** @throws IOException the document cannot be written. */
fun ContentResolver.copyInto(picture: File, document: Uri) {
    val stream = openOutputStream(document) ?: throw IOException("$document cannot be written")
    stream.use { output -> picture.inputStream().use { it.copyTo(output) } }
}

/** A file in the cache for a picture to be shared; every picture has its own, since the other app may read for long. */
fun Context.newSharedFile(): File {
    val folder = File(cacheDir, "shared").apply { mkdirs() }
    // Older ones have been read by now.
    val old = System.currentTimeMillis() - SHARED_FOR_MS
    folder.listFiles().orEmpty().filter { it.lastModified() < old }.forEach(File::delete)
    return File(folder, "textedit-${System.currentTimeMillis()}.jpg")
}

/** A link to a shared file, which the app that it is sent to may read. */
fun Context.linkTo(file: File): Uri = FileProvider.getUriForFile(this, "$packageName.files", file)

private const val SHARED_FOR_MS = 24L * 60 * 60 * 1000
