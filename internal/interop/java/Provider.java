import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import org.w3c.dom.Element;

/** A service that verifies its callers. */
final class Provider {
    private Provider() {}

    static HttpServer listen(Stack stack, Trust trust) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            int status = 200;
            String answer;
            try {
                Element assertion = stack.verifyCall(Dom.parse(exchange.getRequestBody().readAllBytes()), trust);
                answer = "<s:Answer xmlns:s=\"urn:sceau:interop\"><s:Doctor>" + doctor(assertion) + "</s:Doctor></s:Answer>";
            } catch (Exception e) {
                status = 500;
                if (!(e instanceof Refused)) e.printStackTrace();
                answer = "<soapenv:Fault><faultcode>soapenv:Client</faultcode><faultstring>" + (e instanceof Refused ? e.getMessage() : "failure") + "</faultstring></soapenv:Fault>";
            }
            byte[] octets = ("<soapenv:Envelope xmlns:soapenv=\"" + Names.SOAP + "\"><soapenv:Body>" + answer + "</soapenv:Body></soapenv:Envelope>").getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().set("Content-Type", "text/xml; charset=utf-8");
            exchange.sendResponseHeaders(status, octets.length);
            try (OutputStream out = exchange.getResponseBody()) {
                out.write(octets);
            }
        });
        server.start();
        return server;
    }

    private static boolean doctor(Element assertion) {
        var all = assertion.getElementsByTagNameNS(Names.SAML, "Attribute");
        for (int i = 0; i < all.getLength(); i++)
            if (((Element) all.item(i)).getAttribute("AttributeName").equals(Names.DOCTOR) && all.item(i).getTextContent().equals("true")) return true;
        return false;
    }
}
