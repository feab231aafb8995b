// swift-tools-version: 6.2
import PackageDescription

/// A package of its own, as one that uses the libraries would be. Without the trait `Sidecar` it resolves nothing that only
/// the program pgsidecar needs.
let package = Package(
    name: "user-server",
    dependencies: [
        .package(name: "pgsidecar", path: "../..", traits: []),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    ],
    targets: [
        .executableTarget(
            name: "UserServer",
            dependencies: [
                .product(name: "TypedCache", package: "pgsidecar"),
                .product(name: "CacheCore", package: "pgsidecar"),
                .product(name: "Hummingbird", package: "hummingbird"),
            ]
        ),
        .testTarget(name: "UserServerTests", dependencies: ["UserServer"]),
    ],
    swiftLanguageModes: [.v6]
)
