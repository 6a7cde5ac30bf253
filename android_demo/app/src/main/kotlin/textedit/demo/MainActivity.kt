package textedit.demo

import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.BackHandler
import androidx.activity.compose.setContent
import androidx.activity.enableEdgeToEdge
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue

class MainActivity : ComponentActivity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        enableEdgeToEdge()
        setContent { DemoTheme { DemoScreens() } }
    }
}

@Composable
private fun DemoScreens() {
    var testing by rememberSaveable { mutableStateOf(false) }
    BackHandler(enabled = testing) { testing = false }
    if (testing) SelfTestScreen(onBack = { testing = false }) else EditorScreen(onSelfTest = { testing = true })
}
