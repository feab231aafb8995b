import ServiceLifecycle

/// A part of the sidecar that runs. The service group logs each one by its name, and not with all that it holds.
protocol SidecarService: Service, CustomStringConvertible {}

extension SidecarService {
    var description: String { "\(Self.self)" }
}
