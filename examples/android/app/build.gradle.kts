plugins {
    id("com.android.application")
    id("org.jetbrains.kotlin.android")
}

android {
    namespace = "com.example.onexn"
    compileSdk = 35

    defaultConfig {
        applicationId = "com.example.onexn"
        minSdk = 24 // of the delegate's build
        targetSdk = 35
        versionCode = 1
        versionName = "1"
        ndk { abiFilters += "arm64-v8a" }
        // the bridge alone uses the C++ library; the delegate uses none
        externalNativeBuild { cmake { arguments += "-DANDROID_STL=c++_static" } }
    }

    externalNativeBuild { cmake { path = file("src/main/cpp/CMakeLists.txt") } }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
    kotlinOptions { jvmTarget = "17" }
}

dependencies {
    // its Interpreter takes delegates of this kind
    implementation("com.google.ai.edge.litert:litert:1.4.2")
}
