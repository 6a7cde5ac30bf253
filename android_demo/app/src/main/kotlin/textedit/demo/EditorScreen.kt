package textedit.demo

import android.content.ActivityNotFoundException
import android.content.Context
import android.content.Intent
import android.net.Uri
import android.os.Build
import androidx.activity.compose.ManagedActivityResultLauncher
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.result.PickVisualMediaRequest
import androidx.activity.result.contract.ActivityResultContracts.CreateDocument
import androidx.activity.result.contract.ActivityResultContracts.PickVisualMedia
import androidx.compose.foundation.layout.BoxWithConstraints
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxHeight
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.ExperimentalMaterial3Api
import androidx.compose.material3.Scaffold
import androidx.compose.material3.SnackbarHost
import androidx.compose.material3.SnackbarHostState
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.material3.TopAppBar
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.remember
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import androidx.lifecycle.viewmodel.compose.viewModel

@Composable
fun EditorScreen(onSelfTest: () -> Unit, model: EditorViewModel = viewModel()) {
    val state by model.state.collectAsStateWithLifecycle()
    val context = LocalContext.current
    val actions = rememberActions(model)
    val snackbar = remember { SnackbarHostState() }
    Messages(state.message, snackbar, model::messageShown)
    Scaffold(
        topBar = { EditorBar(onSelfTest, onBenchmark = { context.startActivity(Intent(context, BenchmarkActivity::class.java)) }) },
        snackbarHost = { SnackbarHost(snackbar) },
    ) { padding ->
        BoxWithConstraints(Modifier.padding(padding).fillMaxSize()) {
            if (maxWidth > maxHeight) {
                Row {
                    ComparedPhoto(state, Modifier.weight(1f).fillMaxHeight())
                    EditControls(state, actions, Modifier.weight(1f).verticalScroll(rememberScrollState()).padding(16.dp))
                }
            } else {
                Column {
                    ComparedPhoto(state, Modifier.weight(1f).fillMaxWidth())
                    EditControls(state, actions, Modifier.fillMaxWidth().padding(16.dp))
                }
            }
        }
    }
}

@OptIn(ExperimentalMaterial3Api::class)
@Composable
private fun EditorBar(onSelfTest: () -> Unit, onBenchmark: () -> Unit) {
    TopAppBar(
        title = { Text(stringResource(R.string.app_name)) },
        actions = {
            TextButton(onClick = onSelfTest) { Text(stringResource(R.string.self_test)) }
            TextButton(onClick = onBenchmark) { Text(stringResource(R.string.benchmark)) }
        },
    )
}

@Composable
private fun Messages(message: Message?, snackbar: SnackbarHostState, onShown: () -> Unit) {
    val text = message?.let { stringResource(it.text, it.detail) } ?: return
    LaunchedEffect(message) {
        snackbar.showSnackbar(text, withDismissAction = true)
        onShown()
    }
}

/** What the controls can do. */
class EditActions(
    val pick: () -> Unit,
    val choosePrompt: (String) -> Unit,
    val setStrength: (Float) -> Unit,
    val setKeepDetail: (Boolean) -> Unit,
    val save: () -> Unit,
    val share: () -> Unit,
)

@Composable
private fun rememberActions(model: EditorViewModel): EditActions {
    val context = LocalContext.current
    val picker = rememberLauncherForActivityResult(PickVisualMedia()) { uri ->
        if (uri != null) {
            context.keepReadable(uri)
            model.pick(uri)
        }
    }
    val document = rememberLauncherForActivityResult(CreateDocument("image/jpeg")) { uri -> uri?.let(model::saveTo) }
    return remember(model, context, picker, document) {
        EditActions(
            pick = { picker.launch(PickVisualMediaRequest(PickVisualMedia.ImageOnly)) },
            choosePrompt = model::choosePrompt,
            setStrength = model::setStrength,
            setKeepDetail = model::setKeepDetail,
            save = { save(model, document) },
            share = { model.share(context::sendPicture) },
        )
    }
}

/** From Android 10 on an app may add pictures to the album; before, the user says where the picture goes, and no permission is needed. */
private fun save(model: EditorViewModel, document: ManagedActivityResultLauncher<String, Uri?>) {
    if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) model.saveToAlbum() else document.launch("textedit.jpg")
}

/** Keeps the right to read a picked photo beyond this process. */
private fun Context.keepReadable(uri: Uri) {
    try {
        contentResolver.takePersistableUriPermission(uri, Intent.FLAG_GRANT_READ_URI_PERMISSION)
    } catch (_: SecurityException) {
        // A few pickers lend a photo to this process only; after its end the editor says that the photo has to be picked again.
    }
}

private fun Context.sendPicture(link: Uri) {
    val send = Intent(Intent.ACTION_SEND).apply {
        type = "image/jpeg"
        putExtra(Intent.EXTRA_STREAM, link)
        addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
    }
    try {
        startActivity(Intent.createChooser(send, null))
    } catch (_: ActivityNotFoundException) {
        // The chooser itself says so when there is nothing to share with; only a restricted profile has no chooser at all.
    }
}
