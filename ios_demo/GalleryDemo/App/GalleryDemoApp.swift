import SwiftUI

@main
struct GalleryDemoApp: App {
    @State private var services = EditorServices()

    var body: some Scene {
        WindowGroup {
            if BenchmarkRun.isRequested {
                BenchmarkRunView(services: services)
            } else {
                RootView(services: services)
            }
        }
    }
}
